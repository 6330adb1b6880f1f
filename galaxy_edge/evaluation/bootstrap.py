"""Bootstrap intervals: how far a measure would move with other images of the same kind.

Percentile intervals after Efron & Tibshirani (1993, chapter 13). Images are drawn again with
replacement, within each class (stratified), so that the classes keep their sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import UsageError

Interval: TypeAlias = tuple[float, float]
Scores: TypeAlias = npt.NDArray[np.float64]
Ranks: TypeAlias = npt.NDArray[np.intp]

#: Of the resampled values, an interval holds this share.
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        resamples: how often the images are drawn again; 0 for no intervals.
        seed: of the draws; each interval begins with it anew, so that none depends on which
            others were asked for.
    """

    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 0:
            raise UsageError(f"--bootstrap must be 0 (no intervals) or more, not {self.resamples}")
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, not {self.seed}")

    def accuracy(self, strata: Sequence[tuple[int, int]]) -> Interval | None:
        """Interval of the share of right verdicts.

        Of n images of which k are right, a resample has a binomial number of right ones,
        B(n, k/n): drawing the images themselves would give the same distribution.

        Args:
            strata: right verdicts and images of each class; those without images are passed over.

        Returns:
            None without images or resamples.
        """
        total = sum(images for _, images in strata)
        if not total or not self.resamples:
            return None
        draw = np.random.default_rng(self.seed)
        right = np.zeros(self.resamples)
        for count, images in strata:
            if images:
                right += draw.binomial(images, count / images, self.resamples)
        return _interval(right / total)

    def auc(self, negative: Scores, positive: Scores) -> Interval | None:
        """Interval of the area under the ROC curve.

        The area is the chance that a positive scores above a negative, ties counting half (Mann &
        Whitney 1947). Scores are ranked once; a resample is how often each rank was drawn, so that
        none needs sorting.

        Args:
            negative: [N] scores of the negative class.
            positive: [P] scores of the positive class.

        Returns:
            None without images of a class, or without resamples.
        """
        if not len(negative) or not len(positive) or not self.resamples:
            return None
        values, ranks = np.unique(np.concatenate([negative, positive]), return_inverse=True)
        low, high = ranks[: len(negative)], ranks[len(negative) :]
        draw = np.random.default_rng(self.seed)
        areas = np.empty(self.resamples)
        for number in range(self.resamples):
            below = _drawn(low, len(values), draw)
            above = _drawn(high, len(values), draw)
            # Twice the negatives ranked lower, and once those ranked the same. Whole numbers: the
            # product of floats is BLAS's, whose threads wait for each other on a busy machine.
            beaten = 2 * np.cumsum(below) - below
            areas[number] = (above @ beaten) / (2 * len(negative) * len(positive))
        return _interval(areas)


def _drawn(ranks: Ranks, count: int, draw: np.random.Generator) -> Ranks:
    """How often each rank comes in one resample."""
    return np.bincount(ranks[draw.integers(0, len(ranks), len(ranks))], minlength=count)


def _interval(values: Scores) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
