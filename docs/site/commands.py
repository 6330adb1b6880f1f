"""A page for every command, from its own help."""

from __future__ import annotations

import inspect
import re
from typing import Any

import typer
from typer.main import get_command

from galaxy_edge.cli.commands import commands, name_of

OVERVIEW = """\
# Commands

Every command with all its options, made from `galaxy-edge COMMAND --help` when this site was built.
Rows go to stdout; notes, progress and summaries go to stderr. All commands use the same
[exit codes](../docs/exit-codes.md).

| command | purpose |
|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""
PANELS = ("Arguments", "Options")


def pages() -> dict[str, str]:
    """Name of a page to its text: one for each command, and an overview."""
    found = {name_of(command): _click(command) for command in commands([])}
    texts = {f"command-{name}": _page(name, command) for name, command in found.items()}
    rows = [
        f"| [`{name}`](command-{name}.md) | {_sentence(command)} |"
        for name, command in found.items()
    ]
    overview = OVERVIEW.format(rows="\n".join(rows), names="\n".join(texts))
    return {"commands": overview, **texts}


def _click(command: Any) -> Any:
    """The parsed form of a command, which knows its options."""
    if isinstance(command, typer.Typer):
        return get_command(command)
    application = typer.Typer(add_completion=False)
    application.command()(command)
    return get_command(application)


def _page(name: str, command: Any) -> str:
    inner = getattr(command, "commands", {})
    parts = [f"# {name}\n", _help(command), *_parameters(f"galaxy-edge {name}", command, 2)]
    for word, sub in inner.items():
        parts += [f"## {name} {word}\n", _help(sub)]
        parts += _parameters(f"galaxy-edge {name} {word}", sub, 3)
    parts.append("The [exit codes](../docs/exit-codes.md) are those of all commands.\n")
    return "\n".join(parts)


def _parameters(program: str, command: Any, level: int) -> list[str]:
    """The usage line and a table for each panel of options."""
    if getattr(command, "commands", None):
        return [f"```text\n{program} COMMAND [OPTIONS]\n```\n"]
    context = command.make_context(program, [], resilient_parsing=True)
    usage = " ".join([program, *command.collect_usage_pieces(context)])
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        panel = getattr(parameter, "rich_help_panel", None) or PANELS[not argument]
        panels.setdefault(panel, []).append(_row(parameter, context, argument=argument))
    parts = [f"```text\n{usage}\n```\n"]
    for panel, rows in panels.items():
        head = (
            "| argument | meaning | default |"
            if panel == PANELS[0]
            else ("| option | meaning | default |")
        )
        parts.append("\n".join([f"{'#' * level} {panel}\n", head, "|---|---|---|", *rows]) + "\n")
    return parts


def _row(parameter: Any, context: Any, *, argument: bool) -> str:
    metavar = parameter.make_metavar(context)
    if argument:
        name = f"`{metavar}`"
    else:
        names = [*reversed(parameter.opts), *parameter.secondary_opts]
        short = [word for word in names if not word.startswith("--")]
        name = ", ".join(f"`{word}`" for word in [*short, *(n for n in names if n not in short)])
        name += "" if parameter.is_flag else f" `{metavar}`"
    return (
        f"| {_cell(name)} | {_cell(_text(parameter.help or ''))} | {_cell(_default(parameter))} |"
    )


def _default(parameter: Any) -> str:
    """What happens without the option: in words, or its value."""
    shown = parameter.show_default
    if isinstance(shown, str):
        return shown
    value = parameter.default
    if parameter.required:
        return "required"
    if value is None or shown is False or callable(value):
        return ""
    if isinstance(value, bool):
        return ("yes" if value else "") if parameter.is_flag else str(value)
    return f"`{value}`" if value not in ((), []) else ""


def _help(command: Any) -> str:
    """The description and the closing words of a command."""
    parts = [command.help or "", command.epilog or ""]
    return "\n\n".join(_text(inspect.cleandoc(part)) for part in parts if part) + "\n"


def _sentence(command: Any) -> str:
    return _cell(_text(inspect.cleandoc(command.help or "").partition("\n\n")[0]))


def _text(help_: str) -> str:
    """Help as Markdown: double backquotes are code, and a backspace keeps lines as they are."""
    return help_.replace("``", "`").replace("\b", "").replace("<", "\\<")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
