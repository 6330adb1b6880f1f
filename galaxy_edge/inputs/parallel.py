"""Decode many files in threads, and stop at once when the program is asked to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

#: Items that are taken ahead of the results, so that any number of them needs little memory.
_AHEAD = 64


@contextmanager
def in_threads(work: Callable[[T], U], items: Iterable[T]) -> Iterator[Iterator[U]]:
    """Apply a function to items in threads, and give the results in order.

    After an exception, such as the one that SIGTERM or Ctrl-C raises, no further item is begun and
    nothing waits. A bare ``with ThreadPoolExecutor()`` would first work through all of them.

    Args:
        work: the function; it should release the interpreter lock, as Pillow and NumPy do.
        items: a few are taken ahead of the results.
    """
    pool = ThreadPoolExecutor()
    try:
        yield _results(pool, work, items)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _results(pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    waiting: deque[Future[U]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
