"""The command line: one file a command, and one boundary that turns errors into exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "script"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; by default on the arguments of the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # What imports leave behind is no garbage, and looking through it takes 6 ms.
    gc.disable()
    try:
        from galaxy_edge.cli import ahead

        ahead.begin(arguments)
        # Imports Typer, while the model loads.
        from galaxy_edge.cli.application import run
    finally:
        gc.enable()
    run(arguments)


def script() -> NoReturn:
    """The command as the shell starts it: `main`, and a quick end.

    Python would free the model and every module one by one, which takes 30 ms; the system frees
    them all at once. When `predict` ends, its threads have, and its files are closed.
    """
    try:
        main()
    except KeyboardInterrupt:
        # While things are still imported; later, the command's own way out is taken.
        sys.exit(130)
    except SystemExit as end:
        if sys.argv[1:2] == ["predict"] and isinstance(end.code, int):
            # What cannot be flushed is told by Python's own way out.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)
        raise
