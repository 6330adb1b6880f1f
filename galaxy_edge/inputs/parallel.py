"""Decode many files in threads, and stop at once when the program is asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


@contextmanager
def in_threads(work: Callable[[T], U], items: Iterable[T]) -> Iterator[Iterator[U]]:
    """Apply a function to items in threads, and give the results in order.

    After an exception, such as the one that SIGTERM or Ctrl-C raises, no further item is begun and
    nothing waits. A bare ``with ThreadPoolExecutor()`` would first work through all of them.

    Args:
        work: the function; it should release the interpreter lock, as Pillow and NumPy do.
        items: all are queued at once.
    """
    pool = ThreadPoolExecutor()
    try:
        yield pool.map(work, items)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
