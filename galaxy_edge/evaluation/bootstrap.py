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
Indices: TypeAlias = npt.NDArray[np.intp]

#: Share of the resampled values that lies in an interval.
LEVEL = 0.95


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

        Each source is measured against the same images of the other class. Every interval starts
        from the seed, so sources with the same number of images draw the same random numbers. They
        share the resamples of the other class, which are most of the work.

        Args:
            label: the class of the sources: 0 (negative) or 1 (positive).
            sources: [N] scores of each source; N may differ and may be 0.
            others: [M] scores of the other class; M may be 0.

        Returns:
            For each source the interval, or None without images of it, without images of the other
            class, or without resamples.
        """
        intervals: list[Interval | None] = [None] * len(sources)
        if not len(others) or not self.resamples:
            return intervals
        for size in {len(scores) for scores in sources} - {0}:
            places = [place for place, scores in enumerate(sources) if len(scores) == size]
            areas = self._areas(label, np.stack([sources[place] for place in places]), others)
            for place, resampled in zip(places, areas, strict=True):
                intervals[place] = _interval(resampled)
        return intervals

    def _areas(self, label: int, sources: Scores, others: Scores) -> Scores:
        """Resample the areas [S, R] of S sources of N images each, as scores [S, N].

        The area is the probability that a positive image scores higher than a negative one; ties
        count half (Mann & Whitney 1947). Scores are sorted once. A resample is described by how
        often it contains each image, so it needs no sorting.
        """
        size, count = sources.shape[1], len(others)
        order = np.argsort(others)
        # For each image of a source: how many of the others score lower, and how many at most the
        # same. Their sum is twice the number of those it beats, ties counting half.
        ends = np.concatenate(
            [np.searchsorted(others[order], sources, side) for side in ("left", "right")], axis=1
        )
        below = np.zeros(count + 1, np.intp)
        beaten = np.empty((len(sources), self.resamples), np.intp)
        for number, (own, other) in enumerate(self._resamples(label, size, count)):
            np.cumsum(np.bincount(other, minlength=count)[order], out=below[1:])
            often = np.bincount(own, minlength=size)
            # Integers: NumPy multiplies floats with BLAS, whose threads wait for each other on a
            # busy machine.
            beaten[:, number] = below[ends] @ np.concatenate([often, often])
        pairs = 2 * size * count
        return (beaten if label else pairs - beaten) / pairs

    def _resamples(self, label: int, size: int, count: int) -> Iterator[tuple[Indices, Indices]]:
        """Draw the images of a source and of the other class; the negative class comes first."""
        random = np.random.default_rng(self.seed)
        for _ in range(self.resamples):
            if label:
                other = random.integers(0, count, count)
                yield random.integers(0, size, size), other
            else:
                own = random.integers(0, size, size)
                yield own, random.integers(0, count, count)


def _interval(values: Scores) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
