"""Numbers that stand for many measurements, and how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: A percentile needs as many samples as it takes for one to lie beyond it: a hundred for p99.
_ENOUGH = {50: 1, 90: 10, 99: 100}


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of measurements, in their unit; None where there are too few (10 for p90, 100 for p99)."""

    p50: float
    p90: float | None
    p99: float | None
    samples: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Percentiles:
        """From one value or more."""
        p50, p90, p99 = (
            float(np.percentile(values, share)) if len(values) >= least else None
            for share, least in _ENOUGH.items()
        )
        assert p50 is not None  # noqa: S101 - for mypy
        return cls(p50, p90, p99, len(values))


@dataclass(frozen=True, slots=True)
class Interval:
    """The median of values that were measured one after the other, and where it can be.

    Attributes:
        median: of the values.
        low: end of the interval that holds the median of all that could have been measured, with
            a probability of 0.95 at least.
        high: its other end.
        samples: how many values; with fewer than six the interval is from the least to the
            greatest, and the probability is smaller.
    """

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """From one value or more, by the sign test: whatever their distribution."""
        ordered = sorted(values)
        count = len(ordered)
        # Of `count` tosses of a coin, at most `cut` heads have a probability of 0.025 or less.
        # In whole numbers: a float holds no binomial coefficient of a thousand tosses.
        cut, tail = -1, 1
        while 40 * tail <= 2**count:
            cut += 1
            tail += math.comb(count, cut + 1)
        cut = max(cut, 0)
        return cls(float(np.median(ordered)), ordered[cut], ordered[count - 1 - cut], count)

    def holds(self, value: float) -> bool:
        """Whether a value is in it."""
        return self.low <= value <= self.high
