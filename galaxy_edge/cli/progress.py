"""The progress display of commands that process many images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ticking(*, shown: bool, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Show the number of processed images on stderr, if it is a terminal.

    Args:
        shown: False to show no progress.
        total: the total number of images, if known.

    Yields:
        A function to call after each image.
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
