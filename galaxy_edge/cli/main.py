"""The application: its commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from galaxy_edge.cli.export import export
from galaxy_edge.cli.predict import predict
from galaxy_edge.cli.train import train
from galaxy_edge.errors import GalaxyEdgeError

app = typer.Typer(
    name="galaxy-edge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 all well, 1 some inputs failed, 2 wrong usage, 3 the model cannot be used, "
        "4 the device asked for is not there, 5 a quality gate failed."
    ),
)
app.command()(predict)
app.command()(train)
app.command()(export)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"galaxy-edge {version('galaxy-edge')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Tell real galaxy cutouts from synthetic ones, from one self-describing ONNX file."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Typer itself ends a usage error with 2, Ctrl-C with 130, and a closed pipe quietly.
    """
    try:
        app(arguments, standalone_mode=True)
    except GalaxyEdgeError as error:
        print(f"galaxy-edge: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    raise AssertionError("Typer exits by itself")
