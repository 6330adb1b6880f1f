"""``galaxy-edge survey``, and its commands ``status`` and ``verify``."""

from __future__ import annotations

from typing import Any

import typer

from galaxy_edge.cli.survey.run import run
from galaxy_edge.cli.survey.status import status
from galaxy_edge.cli.survey.verify import verify
from galaxy_edge.cli.terminal import Command, Group

_DEFAULT = "run"


class _Group(Group):
    """Without the name of a command, ``run`` is meant: ``galaxy-edge survey SOURCE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the name of the command. Typer has Click's Context, or one of its own."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named or not args else [_DEFAULT, *args])


survey = typer.Typer(
    name="survey",
    cls=_Group,
    no_args_is_help=True,
    help="Classify a large source in parts, once each, on one or many machines.",
    epilog="`galaxy-edge survey SOURCE -o DESTINATION` is short for `galaxy-edge survey run ...`.",
)
for command in (run, status, verify):
    survey.command(cls=Command)(command)
