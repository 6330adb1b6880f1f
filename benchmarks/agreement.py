"""Whether another runtime computes what Keras does, so that nobody wins by being wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]

#: The most by which a score computed in float32 may differ from Keras's.
TOLERANCE = 1e-4
#: The share of verdicts in which one that rounds may differ.
FLIPS = 0.01
#: By how much its accuracy may be below Keras's.
DROP = 0.005


def accuracy(scores: Scores, labels: npt.NDArray[np.uint8]) -> float:
    """The share of right verdicts at a threshold of one half."""
    return float(np.mean((scores > 0.5) == labels))


def objection(
    scores: Scores, reference: Scores, labels: npt.NDArray[np.uint8], *, exact: bool
) -> str | None:
    """What speaks against a runtime, if anything does.

    Args:
        scores: its own, [N].
        reference: Keras's of the same images, [N].
        labels: their classes, 0 or 1, [N].
        exact: it computes in float32; else it rounds, to integers or to bfloat16.
    """
    # What is no number is never within a limit.
    if not np.isfinite(scores).all() or scores.shape != reference.shape:
        return "not a score for each image"
    worst = float(np.max(np.abs(scores - reference)))
    if exact:
        return f"a score differs by {worst:.1e}" if worst > TOLERANCE else None
    flips = float(np.mean((scores > 0.5) != (reference > 0.5)))
    if flips > FLIPS:
        return f"{flips:.2%} of the verdicts differ"
    drop = accuracy(reference, labels) - accuracy(scores, labels)
    return f"the accuracy is {drop:.2%} lower" if drop > DROP else None
