"""A function in a process of its own, in which it is also timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

_WARM_UP = 3
_function: Callable[[Any], Any]


class Process:
    """Calls a function where nothing else runs: TensorFlow, for one, sets its threads only once.

    Args:
        make: makes the function, there; a picklable one.
        arguments: its arguments.
    """

    def __init__(self, make: Callable[..., Callable[[Any], Any]], *arguments: Any) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _make, (make, arguments))

    def __call__(self, argument: Any) -> Any:
        return self._pool.submit(_call, argument).result()

    def milliseconds(self, argument: Any, seconds: float) -> list[float]:
        """Call it for so long, and a few times before; what each call took."""
        return self._pool.submit(_time, argument, seconds).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def _make(make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    global _function  # noqa: PLW0603 - a process of a pool has nowhere else to keep it
    _function = make(*arguments)


def _call(argument: Any) -> Any:
    return _function(argument)


def _time(argument: Any, seconds: float) -> list[float]:
    for _ in range(_WARM_UP):
        _function(argument)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        _function(argument)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken
