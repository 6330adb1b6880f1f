"""Time several functions in alternating blocks, so that drift of the machine affects all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import repeat

Work = Callable[[], object]


def in_blocks(
    works: Sequence[Work], *, rounds: int, runs: int, warm_up: int = 3
) -> list[list[list[float]]]:
    """Time several functions in turns.

    A turn is a block of runs, not a single run, for two reasons. A function then finds its own
    weights in the caches. And the threads of some runtimes spin for a while after a run
    (onnxruntime's do by default) and take the cores from the next function. This affects only the
    warm-up of the next block.

    A round runs the blocks forwards and backwards (A B B A), so that a steady drift cancels out.

    Args:
        works: the functions to time.
        rounds: number of rounds; each function has two blocks in a round.
        runs: number of timed runs in a block.
        warm_up: number of runs at the start of a block that are not timed.

    Returns:
        Seconds of each run, by function and by round.
    """
    times: list[list[list[float]]] = [[[] for _ in range(rounds)] for _ in works]
    turns = [*range(len(works)), *reversed(range(len(works)))]
    for number in range(rounds):
        for turn in turns:
            work = works[turn]
            for _ in repeat(None, warm_up):
                work()
            for _ in repeat(None, runs):
                start = time.perf_counter()
                work()
                times[turn][number].append(time.perf_counter() - start)
    return times
