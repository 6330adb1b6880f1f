"""Works beside each other on one machine: turns of blocks, so that drift strikes all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import repeat

Work = Callable[[], object]


def in_blocks(
    works: Sequence[Work], *, rounds: int, runs: int, warm_up: int = 3
) -> list[list[list[float]]]:
    """Time works in turns.

    Each has a block of runs, not one: it finds its own weights in the caches then. And a runtime
    whose threads spin on after a run, as onnxruntime's do unless told not to, would take the cores
    from the next; so it strikes the warm-up of a block. A round goes through the works forth and
    back (A B B A), so that what drifts steadily cancels.

    Args:
        works: what is timed.
        rounds: how often each has two blocks.
        runs: how many are timed in a block.
        warm_up: runs before them that are not.

    Returns:
        Seconds of each run: by work, by round.
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
