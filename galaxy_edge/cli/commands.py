"""The commands by name, each imported when it is needed.

The imports are written out, one a function: PyInstaller follows import statements, not names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import typer

from galaxy_edge.errors import UsageError

#: A function whose parameters are the options of the command, or a group of such commands.
Command: TypeAlias = Callable[..., None] | typer.Typer


def _predict() -> Command:
    from galaxy_edge.cli.predict import predict

    return predict


def _watch() -> Command:
    from galaxy_edge.cli.watch import watch

    return watch


def _consume() -> Command:
    from galaxy_edge.cli.consume import consume

    return consume


def _serve() -> Command:
    from galaxy_edge.cli.serve import serve

    return serve


def _survey() -> Command:
    from galaxy_edge.cli.survey import survey

    return survey


def _synthesize() -> Command:
    from galaxy_edge.cli.synthesize import synthesize

    return synthesize


def _train() -> Command:
    from galaxy_edge.cli.train import train

    return train


def _export() -> Command:
    from galaxy_edge.cli.export import export

    return export


def _evaluate() -> Command:
    from galaxy_edge.cli.evaluate import evaluate

    return evaluate


def _review() -> Command:
    from galaxy_edge.cli.review import review

    return review


def _info() -> Command:
    from galaxy_edge.cli.info import info

    return info


def _verify() -> Command:
    from galaxy_edge.cli.verify import verify

    return verify


def _benchmark() -> Command:
    from galaxy_edge.cli.benchmark import benchmark

    return benchmark


def _doctor() -> Command:
    from galaxy_edge.cli.doctor import doctor

    return doctor


_COMMANDS: dict[str, Callable[[], Command]] = {
    "predict": _predict,
    "watch": _watch,
    "consume": _consume,
    "serve": _serve,
    "survey": _survey,
    "synthesize": _synthesize,
    "train": _train,
    "export": _export,
    "evaluate": _evaluate,
    "review": _review,
    "info": _info,
    "verify": _verify,
    "benchmark": _benchmark,
    "doctor": _doctor,
}
#: The packages that a program made of the runtime alone does not have.
_OTHER_PACKAGES = ("galaxy_edge_train", "galaxy_edge_export")


def name_of(command: Command) -> str:
    """The word that names a command."""
    if isinstance(command, typer.Typer):
        return str(command.info.name)
    return command.__name__


def commands(arguments: Sequence[str]) -> list[Command]:
    """The commands that the arguments name, or else all commands.

    Typer inspects every option of every command at each start, and `train` alone has 30. A command
    whose package is not part of this program (a zip file, a frozen program) is left out.

    Raises:
        UsageError: the command itself is one of those.
    """
    requested = next((word for word in arguments if not word.startswith("-")), None)
    found = []
    for name in [name for name in _COMMANDS if name in arguments] or _COMMANDS:
        try:
            found.append(_COMMANDS[name]())
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _OTHER_PACKAGES:
                raise
            if name == requested:
                raise UsageError(
                    f"this program has no command {name}, because it was built without {package}; "
                    "install galaxy-edge with pip to get all commands"
                ) from error
    return found
