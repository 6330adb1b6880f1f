"""Compare the speed of model files on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from itertools import chain

from galaxy_edge.engine.session import Session
from galaxy_edge.engine.turns import in_blocks
from galaxy_edge.inputs.images import Pixels

_ROUNDS = 2


def milliseconds_per_image(
    sessions: Sequence[Session], images: Pixels, *, runs: int = 15
) -> list[float]:
    """Measure the median time per image.

    Args:
        sessions: the model files.
        images: one batch, uint8 [N, size, size, 3].
        runs: minimum number of times that each session scores the batch.

    Returns:
        Milliseconds per image, for each session.
    """
    works = [partial(session.run, images) for session in sessions]
    # Each round has two blocks per session.
    block = -(-runs // (2 * _ROUNDS))
    times = in_blocks(works, rounds=_ROUNDS, runs=block)
    return [1e3 * statistics.median(chain(*by_round)) / len(images) for by_round in times]
