"""A hint on Ctrl-C for the commands that can resume: `train`, `synthesize` and `predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def resume_hint(output: Path) -> Iterator[None]:
    """On Ctrl-C, print where the finished part of ``output`` is and how to resume."""
    try:
        yield
    except KeyboardInterrupt:
        if Path(f"{output}.partial").exists():
            print(
                f"galaxy-edge: interrupted; the finished epochs are in {output}.partial; repeat "
                "the command with --resume to continue",
                file=sys.stderr,
            )
        raise


@contextmanager
def rows_hint(output: Path | None, form: str) -> Iterator[None]:
    """On Ctrl-C, print where the finished rows are and how to resume, if that is possible."""
    try:
        yield
    except KeyboardInterrupt:
        if output is not None and form != "table":
            print(
                f"galaxy-edge: interrupted; {output} keeps the finished rows; repeat the command "
                "with --resume to continue",
                file=sys.stderr,
            )
        raise
