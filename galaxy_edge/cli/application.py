"""The Typer application, and the only place where an error becomes an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from galaxy_edge.cli import terminal
from galaxy_edge.cli.commands import Command, commands, name_of
from galaxy_edge.cli.faults import has_lost_reader, is_closed_pipe, memory_fault
from galaxy_edge.cli.stopping import ENDINGS
from galaxy_edge.errors import DeviceError, GalaxyEdgeError, UsageError

#: Exit code of a bug: EX_SOFTWARE in sysexits.h.
_BUG = 70

#: The code that shells use for SIGPIPE.
_CLOSED_PIPE = 128 + 13


def _print_version(requested: bool) -> None:
    if requested:
        from galaxy_edge.versions import installed

        typer.echo(f"galaxy-edge {installed('galaxy-edge')}")
        raise typer.Exit


def _application(arguments: Sequence[str]) -> typer.Typer:
    mode: Literal["rich"] | None = "rich" if terminal.has_boxes() else None
    # Click takes at least 50 columns, also of a terminal that has fewer.
    width = max(min(terminal.columns(), 80) - 1, 20)
    app = typer.Typer(
        name="galaxy-edge",
        cls=terminal.Group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=mode,
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": width},
        epilog=(
            "Exit codes: 0 success, 1 some inputs could not be read, 2 wrong usage, 3 the model "
            "cannot be used, 4 the requested device is missing or does not work, 5 a quality gate "
            "failed, 70 a bug in galaxy-edge."
        ),
    )
    app.callback()(_options)
    # The overview shows no options, and Typer takes 15 ms to inspect those of all commands.
    overview = [*arguments] in (["--help"], ["-h"])
    for command in commands(arguments):
        if overview:
            app.command(cls=terminal.Command)(_without_options(command))
        elif isinstance(command, typer.Typer):
            command.rich_markup_mode = mode
            app.add_typer(command)
        else:
            app.command(cls=terminal.Command)(command)
    return app


def _without_options(command: Command) -> Callable[[], None]:
    def shown() -> None:
        raise AssertionError("only for the overview")

    shown.__name__ = name_of(command)
    shown.__doc__ = command.info.help if isinstance(command, typer.Typer) else command.__doc__
    return shown


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Classify galaxy cutouts, as real or synthetic or into your own classes.

    One self-describing ONNX file holds the network, its preprocessing and its examples.
    """


def _open_closed_streams() -> None:
    """Use the null device for stdin, stdout and stderr that are closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _escape_what_cannot_be_shown() -> None:
    """Print a letter that stdout's encoding lacks as an escape; Windows has many such encodings."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _exit_on_signal(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    """Exit with all clean-up, as after Ctrl-C, and with the code that shells use for the signal."""
    sys.exit(128 + number)


def _print_error(message: str) -> None:
    """Print an error message; a file name in it must not control the terminal."""
    from galaxy_edge.outputs.text import printable

    lines = "\n".join(map(printable, message.split("\n")))
    print(f"galaxy-edge: {lines}", file=sys.stderr)


def run(arguments: Sequence[str]) -> NoReturn:
    """Run the command line and exit.

    Typer itself exits with 2 after a wrong option and with 130 after Ctrl-C.
    """
    _open_closed_streams()
    _escape_what_cannot_be_shown()
    # Without a handler, SIGTERM (from a batch system or systemd) would end the process at once, and
    # Parquet and FITS tables, which are written at the end, would be lost.
    if threading.current_thread() is threading.main_thread():
        for number in ENDINGS:
            signal.signal(number, _exit_on_signal)
    # Both packages warn of odd metadata; what matters becomes the error of a row.
    warnings.filterwarnings("ignore", module=r"(PIL|astropy)\b")
    try:
        try:
            _application(arguments)(arguments, standalone_mode=True)
        except SystemExit:
            # Python would do this later, and print a traceback if stdout cannot be written.
            sys.stdout.flush()
            raise
    except SystemExit as end:
        if is_closed_pipe(end):
            _exit_after_closed_pipe()
        raise
    except Exception as error:  # noqa: BLE001 - exit code 1 would mean failed inputs
        if has_lost_reader(error):
            _exit_after_closed_pipe()
        sys.exit(_report(error, arguments))
    raise AssertionError("Typer exits by itself")


def _exit_after_closed_pipe() -> NoReturn:
    """Exit as a program that SIGPIPE ends: without a word."""
    _discard_output()
    sys.exit(_CLOSED_PIPE)


def _discard_output() -> None:
    """Send what is left for stdout to the null device, so that Python does not fail on it later."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception, arguments: Sequence[str]) -> int:
    """Print what is wrong, and return the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    if fault := memory_fault(error):
        _print_error(fault)
        return UsageError.exit_code
    if isinstance(error, GalaxyEdgeError):
        chosen = any(argument.startswith("--device") for argument in arguments)
        hint = "; or use --device auto" if isinstance(error, DeviceError) and chosen else ""
        _print_error(f"{error}{hint}")
        return error.exit_code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        _print_error(f"{where}{error.strerror or error}")
        return UsageError.exit_code
    if isinstance(error, ImportError) and "onnxruntime" in f"{error.name} {error.path} {error}":
        _print_error(
            f"onnxruntime cannot be loaded ({error}); install it with `pip install onnxruntime`, "
            "or install the build for your device"
        )
        return DeviceError.exit_code
    import traceback  # takes 2 ms, and only bugs need it

    traceback.print_exc()
    _print_error("this is a bug in galaxy-edge; please report it with the lines above")
    return _BUG
