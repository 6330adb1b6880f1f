"""Agreement of another runtime with Keras: a runtime with wrong scores must not win."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]

#: Largest difference from Keras's score that a float32 runtime may have.
TOLERANCE = 1e-4
#: Largest share of verdicts that may differ in a runtime that rounds.
FLIPS = 0.01
#: How far the accuracy of a runtime that rounds may be below Keras's.
DROP = 0.005


def accuracy(scores: Scores, labels: npt.NDArray[np.uint8]) -> float:
    """Return the share of right verdicts at a threshold of 0.5."""
    return float(np.mean((scores > 0.5) == labels))


def disagreement(
    scores: Scores, reference: Scores, labels: npt.NDArray[np.uint8], *, exact: bool
) -> str | None:
    """Describe how a runtime disagrees with Keras by more than is allowed.

    Args:
        scores: the runtime's scores, [N].
        reference: Keras's scores of the same images, [N].
        labels: the images' classes, 0 or 1, [N].
        exact: whether the runtime computes in float32; if not, it rounds to integers or bfloat16.

    Returns:
        What is wrong, or None if the runtime agrees.
    """
    # Comparisons with NaN are false, so it must be caught before the limits.
    if not np.isfinite(scores).all() or scores.shape != reference.shape:
        return "it does not give one finite score for each image"
    worst = float(np.max(np.abs(scores - reference)))
    if exact:
        return f"a score differs by {worst:.1e}" if worst > TOLERANCE else None
    flips = float(np.mean((scores > 0.5) != (reference > 0.5)))
    if flips > FLIPS:
        return f"{flips:.2%} of the verdicts differ"
    drop = accuracy(reference, labels) - accuracy(scores, labels)
    return f"the accuracy is {drop:.2%} lower" if drop > DROP else None
