"""The application: its commands, and the one place where an error becomes an exit code."""

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

#: EX_SOFTWARE of sysexits.h.
_BUG = 70

#: Each is a function in a file of its own name beside this one.
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


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"galaxy-edge {version('galaxy-edge')}")
        raise typer.Exit


def _application(arguments: Sequence[str]) -> typer.Typer:
    """The commands named among the arguments; all, where none is, for the help to list.

    Typer takes every option of every command apart at every start, and `train` alone has 30.
    """
    app = typer.Typer(
        name="galaxy-edge",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=(
            "Exit codes: 0 all well, 1 some inputs failed, 2 wrong usage, 3 the model cannot be "
            "used, 4 the device asked for is not there, 5 a quality gate failed."
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
    """Tell real galaxy cutouts from synthetic ones, from one self-describing ONNX file."""


def _open_closed_streams() -> None:
    """Give a program started without stdin, stdout or stderr the null device in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _end(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    """Leave as Ctrl-C does, through every clean-up, with the shell's code for the signal."""
    sys.exit(128 + number)


def _complain(message: str) -> None:
    """Print what went wrong; a file name in it must not speak to the terminal."""
    from galaxy_edge.results import printable

    lines = "\n".join(map(printable, message.split("\n")))
    print(f"galaxy-edge: {lines}", file=sys.stderr)


def run(arguments: Sequence[str]) -> NoReturn:
    """Run the command line and exit.

    Typer itself ends a usage error with 2, Ctrl-C with 130, and a closed pipe quietly.
    """
    _open_closed_streams()
    # Without a handler, SIGTERM (a batch system's, systemd's) would end us on the spot, and tables
    # that are written whole would not be.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    # Both warn of odd metadata in lines of their own source; what matters becomes a row's error.
    warnings.filterwarnings("ignore", module=r"(PIL|astropy)\b")
    try:
        _application(arguments)(arguments, standalone_mode=True)
    except GalaxyEdgeError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}")
        sys.exit(UsageError.exit_code)
    except MemoryError as error:
        print(f"galaxy-edge: there is not enough memory: {error}", file=sys.stderr)
        sys.exit(UsageError.exit_code)
    except Exception as error:  # noqa: BLE001 - 1 would say that some inputs failed
        if isinstance(error, ImportError) and "onnxruntime" in f"{error.name} {error.path} {error}":
            remedy = "pip install onnxruntime, or the build for your device"
            print(f"galaxy-edge: onnxruntime does not load ({error}); {remedy}", file=sys.stderr)
            sys.exit(DeviceError.exit_code)
        import traceback  # takes 2 ms, and is for bugs

        traceback.print_exc()
        print("galaxy-edge: this is a bug; please report it with the lines above", file=sys.stderr)
        sys.exit(_BUG)
    raise AssertionError("Typer exits by itself")
