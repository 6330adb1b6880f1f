"""Which scores to leave uncertain, for a wanted share of wrong labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from galaxy_edge.decision import Probabilities, decimals
from galaxy_edge.errors import UsageError

_Labels = npt.NDArray[np.integer]


def band(
    labels: _Labels, scores: Probabilities, threshold: float, error: float
) -> tuple[float, float] | None:
    """The smallest band of scores around the threshold of two classes.

    Args:
        labels: [N], 0 or 1.
        scores: float32 [N, 2].
        threshold: a score above it is class 1.
        error: largest share of wrong ones among the images on either side of the band.

    Returns:
        The lowest and the highest uncertain score; None if no score needs to be.

    Raises:
        UsageError: no band reaches the wanted error.
    """
    positive = decimals(scores[:, 1])
    above = positive > threshold
    high = _edge(positive[above], labels[above] == 0, error)
    low = _edge(-positive[~above], labels[~above] == 1, error)
    if high is None and low is None:
        return None
    return (threshold if low is None else -low, threshold if high is None else high)


def least_probability(labels: _Labels, scores: Probabilities, error: float) -> float:
    """The lowest probability of a label of three or more classes.

    Args:
        labels: [N], indices of classes.
        scores: float32 [N, C].
        error: largest share of wrong ones among the images with a label.

    Returns:
        A most probable class with less than this is uncertain; 0 if none needs to be.

    Raises:
        UsageError: no probability reaches the wanted error.
    """
    best = decimals(scores.max(axis=1))
    edge = _edge(best, scores.argmax(axis=1) != labels, error)
    return 0.0 if edge is None else float(best[best > edge].min())


def _edge(
    values: npt.NDArray[np.float64], wrong: npt.NDArray[np.bool_], error: float
) -> float | None:
    """The lowest value such that of the images above it at most this share is wrong.

    Returns:
        None if all images may stay.
    """
    if not len(values) or wrong.mean() <= error:
        return None
    order = np.argsort(-values, kind="stable")
    shares = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    ordered = values[order]
    # Images of equal scores stay or go together.
    ends = np.append(ordered[:-1] > ordered[1:], True)
    kept = np.flatnonzero(ends & (shares <= error))
    if not len(kept):
        raise UsageError(
            f"no scores to leave uncertain reach --abstain-error {error:g} on the validation "
            "images: the highest scores are wrong more often; choose a larger error"
        )
    return float(ordered[kept[-1] + 1])
