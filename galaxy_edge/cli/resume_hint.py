"""A hint on Ctrl-C for the commands that can resume: `train`, `synthesize` and `predict`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galaxy_edge.cli.notes import print_note


@contextmanager
def resume_hint(output: Path) -> Iterator[None]:
    """On Ctrl-C, print where the finished part of ``output`` is and how to resume."""
    try:
        yield
    except KeyboardInterrupt:
        if Path(f"{output}.partial").exists():
            print_note(
                f"interrupted; the finished epochs are in {output}.partial; repeat the command "
                "with --resume to continue"
            )
        raise


@contextmanager
def rows_hint(output: Path | None, form: str) -> Iterator[None]:
    """On Ctrl-C, print where the finished rows are and how to resume, if that is possible."""
    try:
        yield
    except KeyboardInterrupt:
        if output is not None and form != "table":
            print_note(
                f"interrupted; {output} keeps the finished rows; repeat the command with --resume "
                "to continue"
            )
        raise
