"""How fast two files are beside each other, on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from galaxy_edge.images import Pixels
from galaxy_edge.session import Session


def milliseconds_per_image(
    sessions: Sequence[Session], images: Pixels, *, runs: int = 15
) -> list[float]:
    """Median time an image, run by run in turn, so that a slow moment strikes all alike.

    Args:
        sessions: the files.
        images: one batch, uint8 [N, size, size, 3].
        runs: how often each scores the batch.
    """
    times: list[list[float]] = [[] for _ in sessions]
    for session in sessions:
        session.score(images)
    for _ in range(runs):
        for session, measured in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.score(images)
            measured.append(time.perf_counter() - start)
    return [1e3 * statistics.median(measured) / len(images) for measured in times]
