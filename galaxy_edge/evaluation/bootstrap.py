"""Bootstrap intervals: how much a measure would vary with other images of the same kind.

Percentile intervals after Efron & Tibshirani (1993, chapter 13). Images are resampled with
replacement within each class (stratified), so the classes keep their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import UsageError

Interval: TypeAlias = tuple[float, float]
Scores: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.intp]

#: Share of the resampled values that lies in an interval.
LEVEL = 0.95
#: What to say of an interval whose resamples are all the same.
NO_WIDTH = (
    "At 0 and 1 the intervals have no width and carry no information: with no error among N "
    "images, as much as 3/N of such images may be wrong."
)
#: Images of all resamples that are held in memory at once; an array of them takes 16 MiB.
_AT_ONCE = 2**21


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are computed.

    Attributes:
        resamples: how many times the images are resampled; 0 for no intervals.
        seed: seed of the random numbers. Every interval starts from it, so no interval depends on
            which others are computed.
    """

    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 0:
            raise UsageError(f"--bootstrap must be 0 (no intervals) or more, not {self.resamples}")
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, not {self.seed}")

    def accuracy(self, strata: Sequence[tuple[int, int]]) -> Interval | None:
        """Interval of the accuracy.

        If k of n images are classified correctly, the number of correct images in a resample has
        the binomial distribution B(n, k/n). Resampling the images themselves would give the same.

        Args:
            strata: for each class, the number of correct verdicts and the number of images.
                Classes without images are skipped.

        Returns:
            The interval, or None without images or without resamples.
        """
        total = sum(images for _, images in strata)
        if not total or not self.resamples:
            return None
        random = np.random.default_rng(self.seed)
        correct = np.zeros(self.resamples)
        for count, images in strata:
            if images:
                correct += random.binomial(images, count / images, self.resamples)
        return _interval(correct / total)

    def auc(self, negative: Scores, positive: Scores) -> Interval | None:
        """Interval of the area under the ROC curve.

        Args:
            negative: [N] scores of the negative class.
            positive: [P] scores of the positive class.

        Returns:
            The interval, or None if a class has no images or there are no resamples.
        """
        return self.aucs(0, [negative], positive)[0]

    def aucs(self, label: int, sources: Sequence[Scores], others: Scores) -> list[Interval | None]:
        """Intervals of the areas under the ROC curves of several sources of one class.

        The area is the probability that a positive image scores higher than a negative one; ties
        count half (Mann & Whitney 1947).

        Each class has its own stream of random numbers, which starts from the seed. So all sources
        are measured against the same resamples of the other class, which are drawn once.

        Args:
            label: the class of the sources: 0 (negative) or 1 (positive).
            sources: [N] scores of each source; N may differ and may be 0.
            others: [M] scores of the other class; M may be 0.

        Returns:
            For each source the interval, or None without images of it, without images of the other
            class, or without resamples.
        """
        if not len(others) or not self.resamples:
            return [None] * len(sources)
        areas = iter(self._areas(label, [own for own in sources if len(own)], others))
        return [_interval(next(areas)) if len(own) else None for own in sources]

    def _areas(self, label: int, sources: Sequence[Scores], others: Scores) -> list[Scores]:
        """For each source the areas of all resamples, float64 [R]."""
        streams = np.random.SeedSequence(self.seed).spawn(2)
        draws = [np.random.default_rng(streams[label]) for _ in sources]
        ranked = np.sort(others)
        # For each image: how many of the other class score lower, and how many at most the same.
        ends = [
            [np.searchsorted(ranked, scores, side) for side in ("left", "right")]
            for scores in sources
        ]
        areas: list[list[Scores]] = [[] for _ in sources]
        step = max(1, _AT_ONCE // max([len(others), *map(len, sources)]))
        for below in self._below(others, np.random.default_rng(streams[1 - label]), step):
            for (low, high), draw, found in zip(ends, draws, areas, strict=True):
                # Twice the images of the other class that score lower, plus those that score the
                # same.
                beaten = below[:, low] + below[:, high]
                drawn = draw.integers(0, len(low), (len(below), len(low)))
                pairs = 2 * len(low) * len(others)
                doubled = np.take_along_axis(beaten, drawn, axis=1).sum(axis=1)
                found.append((doubled if label else pairs - doubled) / pairs)
        return [np.concatenate(found) for found in areas]

    def _below(self, scores: Scores, draw: np.random.Generator, step: int) -> Iterator[Counts]:
        """Resample scores [M], ``step`` resamples at once: arrays [step, M + 1].

        Entry k of a row is the number of images in the resample that are among the k lowest scores.
        It is computed from how often the resample contains each image, so no resample is sorted.
        """
        order = np.argsort(scores)
        for start in range(0, self.resamples, step):
            below = np.zeros((min(step, self.resamples - start), len(scores) + 1), np.intp)
            for row in below:
                drawn = draw.integers(0, len(scores), len(scores))
                np.cumsum(np.bincount(drawn, minlength=len(scores))[order], out=row[1:])
            yield below


def _interval(values: Scores) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
