"""Bootstrap intervals of measures for three or more classes.

As in `galaxy_edge.evaluation.bootstrap`: percentile intervals, images resampled with replacement
within each class. A resample is how often it contains each image. All measures are computed from
these counts, so no resample is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.evaluation.bootstrap import LEVEL, Bootstrap, Interval, Scores

Labels: TypeAlias = npt.NDArray[np.intp]
#: Measures by name, computed from how often each image counts, float64 [N].
Values: TypeAlias = Callable[[Scores], Mapping[str, float]]


def intervals(labels: Labels, values: Values, bootstrap: Bootstrap) -> dict[str, Interval | None]:
    """Intervals of several measures.

    Args:
        labels: [N], the class of each image.
        values: the measures of a resample.
        bootstrap: how many resamples, and from which seed.

    Returns:
        For each measure its interval; None if a resample can leave it undefined, and for all
        measures without images. Empty without resamples.
    """
    if not bootstrap.resamples or not len(labels):
        return {}
    found = [values(counts) for counts in _resamples(labels, bootstrap)]
    return {name: _interval(np.array([one[name] for one in found])) for name in found[0]}


def _resamples(labels: Labels, bootstrap: Bootstrap) -> Iterator[Scores]:
    random = np.random.default_rng(bootstrap.seed)
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(bootstrap.resamples):
        counts = np.zeros(len(labels))
        for members in classes:
            drawn = random.integers(0, len(members), len(members))
            counts[members] = np.bincount(drawn, minlength=len(members))
        yield counts


def _interval(values: Scores) -> Interval | None:
    if np.isnan(values).any():
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


class Ranking:
    """The images in the order of one class's probability, for areas under curves.

    Args:
        positive: bool [N], whether an image belongs to the class.
        scores: float64 [N], the probability of the class.
    """

    def __init__(self, positive: npt.NDArray[np.bool_], scores: Scores) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        #: The last image of each run of equal scores: a threshold cannot separate them.
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        self._positive = positive[self._order].astype(np.float64)

    def areas(self, counts: Scores) -> tuple[float, float]:
        """Area under the ROC curve, and average precision.

        Args:
            counts: float64 [N], how often each image counts.

        Returns:
            As `sklearn.metrics.roc_auc_score` and `average_precision_score` with sample weights;
            NaN without images of the class, and for the area also without others.
        """
        weights = counts[self._order]
        hits = np.cumsum(weights * self._positive)[self._ends]
        false = np.cumsum(weights * (1 - self._positive))[self._ends]
        if not hits[-1]:
            return np.nan, np.nan
        recall = hits / hits[-1]
        called = np.maximum(hits + false, 1e-300)
        precision = float(np.sum(np.diff(recall, prepend=0.0) * hits / called))
        if not false[-1]:
            return np.nan, precision
        steps = np.diff(false / false[-1], prepend=0.0)
        middle = (recall + np.append(0.0, recall[:-1])) / 2
        return float(np.sum(steps * middle)), precision
