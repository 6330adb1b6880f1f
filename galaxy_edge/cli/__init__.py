"""The command line: one file per command; `application` turns errors into exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from galaxy_edge.cli.faults import memory_fault

__all__ = ["main", "script"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; by default with the arguments of the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        from galaxy_edge.cli import preload

        preload.begin(arguments)
        # Imports Typer while the model loads.
        from galaxy_edge.cli.application import run

        run(arguments)
    except Exception as error:
        # `run` reports every error, but there may be no memory to import or to execute it.
        if fault := memory_fault(error):
            print(f"galaxy-edge: {fault}", file=sys.stderr)
            sys.exit(2)
        raise


def script() -> NoReturn:
    """Run `main` as the command ``galaxy-edge``, and exit quickly.

    Python would free the model and every module one by one, which takes 30 ms; the operating
    system frees them all at once. This is safe: when `predict` ends, its threads have ended and
    its files are closed.
    """
    # Imports create hardly any garbage, and looking for it after every 700 objects takes 15 ms.
    gc.set_threshold(50_000)
    try:
        main()
    except KeyboardInterrupt:
        # Ctrl-C during the imports; later, Typer handles it.
        sys.exit(130)
    except SystemExit as end:
        if sys.argv[1:2] == ["predict"] and isinstance(end.code, int):
            # If this fails, the exception ends the process, and Python reports it.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)
        raise
