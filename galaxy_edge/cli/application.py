"""The Typer application, and the only place where an error becomes an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from galaxy_edge.errors import DeviceError, GalaxyEdgeError, UsageError

#: Exit code of a bug: EX_SOFTWARE in sysexits.h.
_BUG = 70

#: Each command is a function in the file of the same name in this folder.
_COMMANDS = (
    "predict",
    "synthesize",
    "train",
    "export",
    "evaluate",
    "info",
    "verify",
    "benchmark",
    "doctor",
)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"galaxy-edge {version('galaxy-edge')}")
        raise typer.Exit


def _application(arguments: Sequence[str]) -> typer.Typer:
    """Build the application with the commands that the arguments name, or else with all commands.

    Typer inspects every option of every command at each start, and `train` alone has 30.
    """
    app = typer.Typer(
        name="galaxy-edge",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=(
            "Exit codes: 0 success, 1 some inputs could not be read, 2 wrong usage, 3 the model "
            "cannot be used, 4 the requested device is missing or does not work, 5 a quality gate "
            "failed, 70 a bug in galaxy-edge."
        ),
    )
    app.callback()(_options)
    for name in [name for name in _COMMANDS if name in arguments] or _COMMANDS:
        app.command()(getattr(import_module(f"galaxy_edge.cli.{name}"), name))
    return app


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Tell real galaxy cutouts from synthetic ones, with one self-describing ONNX file."""


def _open_closed_streams() -> None:
    """Use the null device for stdin, stdout and stderr that are closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


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

    Typer itself exits with 2 after a wrong option, with 130 after Ctrl-C, and without a message
    after a closed pipe.
    """
    _open_closed_streams()
    # Without a handler, SIGTERM (from a batch system or systemd) would end the process at once, and
    # Parquet and FITS tables, which are written at the end, would be lost.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _exit_on_signal)
    # Both packages warn of odd metadata; what matters becomes the error of a row.
    warnings.filterwarnings("ignore", module=r"(PIL|astropy)\b")
    try:
        _application(arguments)(arguments, standalone_mode=True)
    except GalaxyEdgeError as error:
        _print_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _print_error(f"{where}{error.strerror or error}")
        sys.exit(UsageError.exit_code)
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        _print_error(f"not enough memory{reason}; use fewer or smaller images or smaller batches")
        sys.exit(UsageError.exit_code)
    except Exception as error:  # noqa: BLE001 - exit code 1 would mean failed inputs
        if isinstance(error, ImportError) and "onnxruntime" in f"{error.name} {error.path} {error}":
            _print_error(
                f"onnxruntime cannot be loaded ({error}); install it with `pip install "
                "onnxruntime`, or install the build for your device"
            )
            sys.exit(DeviceError.exit_code)
        import traceback  # takes 2 ms, and only bugs need it

        traceback.print_exc()
        _print_error("this is a bug in galaxy-edge; please report it with the lines above")
        sys.exit(_BUG)
    raise AssertionError("Typer exits by itself")
