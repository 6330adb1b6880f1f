"""What a command says whose work can go on after Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def resuming(output: Path) -> Iterator[None]:
    """Say on Ctrl-C where the finished part of ``output`` lies, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if Path(f"{output}.partial").exists():
            print(
                f"interrupted; {output}.partial keeps the epochs that are done: repeat the "
                "command with --resume to go on",
                file=sys.stderr,
            )
        raise
