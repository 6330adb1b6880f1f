"""Progress of commands that take image after image."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ticking(*, shown: bool, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Count images on stderr, when a person watches there.

    Args:
        shown: False for no progress at all.
        total: how many there will be, if that is known.

    Yields:
        What to call after each image.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[ProgressColumn] = [SpinnerColumn()]
    if total is None:
        columns += [TextColumn("{task.completed} images"), TimeElapsedColumn()]
    else:
        columns += [
            BarColumn(),
            TextColumn("{task.completed} of {task.total} images"),
            TimeRemainingColumn(),
        ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
