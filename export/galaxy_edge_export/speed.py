"""How fast two files are beside each other, on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from galaxy_edge.images import Pixels
from galaxy_edge.session import Session

_ROUNDS = 3
_WARM_UP = 3


def milliseconds_per_image(
    sessions: Sequence[Session], images: Pixels, *, runs: int = 15
) -> list[float]:
    """Median time an image.

    The files take turns, so that a slow moment strikes all alike, but in blocks: each finds its
    own weights in the caches, not the other's.

    Args:
        sessions: the files.
        images: one batch, uint8 [N, size, size, 3].
        runs: how often each scores the batch, at least.
    """
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(_ROUNDS):
        for session, measured in zip(sessions, times, strict=True):
            for run in range(_WARM_UP - (-runs // _ROUNDS)):
                start = time.perf_counter()
                session.score(images)
                if run >= _WARM_UP:
                    measured.append(time.perf_counter() - start)
    return [1e3 * statistics.median(measured) / len(images) for measured in times]
