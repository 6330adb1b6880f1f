"""What the terminal can show: boxes on a wide one, plain text on all others and elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

#: Below this, Rich cuts off the names of options.
_WIDE = 80


def columns() -> int:
    """The width of the terminal, in characters; 80 if stdout is not a terminal."""
    return shutil.get_terminal_size().columns


def has_boxes() -> bool:
    """Whether stdout and stderr are terminals that can show boxes and are wide enough."""
    plain = os.environ.get("TERM") == "dumb" or columns() < _WIDE
    return sys.stdout.isatty() and sys.stderr.isatty() and not plain


def _narrow(formatter: Any) -> None:
    """Give the names of options a third of the width at most, so that their texts have room."""
    write = formatter.write_dl

    def write_dl(rows: Iterable[tuple[str, str]], **_: object) -> None:
        room = formatter.width - formatter.current_indent
        folded = [(_folded(name, room), text) for name, text in rows]
        write(folded, col_max=min(formatter.width // 3, 30))

    formatter.write_dl = write_dl


def _folded(name: str, room: int) -> str:
    """Break the name of an option, with its values, where a line is too long."""
    if len(name) <= room:
        return name
    place = 1 + max(name.rfind(mark, 0, room) for mark in "| ")
    return f"{name[:place]}\n    {name[place:]}" if place else name


class _Plain:
    """Plain help that fits a narrow terminal and cuts nothing off.

    Typer derives its classes from those of Click, or from copies of its own.
    """

    help: str | None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _narrow(formatter)
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - of Click
        """The first paragraph of the help, for the list of commands."""
        return " ".join((self.help or "").partition("\n\n")[0].split())


class Command(_Plain, TyperCommand):
    """A command with such help."""


class Group(_Plain, TyperGroup):
    """A group of commands with such help."""
