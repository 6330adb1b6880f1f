"""A function that runs, and is timed, in its own process."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

_WARM_UP = 3
_function: Callable[[Any], Any]


class Process:
    """Calls a function in a process that runs nothing else.

    TensorFlow, for example, can set its number of threads only once per process.

    Args:
        make: picklable function that makes the function, in the new process.
        arguments: the arguments of `make`.
    """

    def __init__(self, make: Callable[..., Callable[[Any], Any]], *arguments: Any) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _make, (make, arguments))

    def __call__(self, argument: Any) -> Any:
        return self._pool.submit(_call, argument).result()

    def milliseconds(self, argument: Any, seconds: float) -> list[float]:
        """Warm up with a few calls, then call for `seconds`; return each call's time, ms."""
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
