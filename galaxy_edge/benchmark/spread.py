"""Summaries of many measurements, and their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Samples needed for each percentile, so that one sample can lie beyond it: 100 for p99.
_ENOUGH = {50: 1, 90: 10, 99: 100}


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of measurements, in their unit.

    None if there are too few samples: p90 needs 10 and p99 needs 100.
    """

    p50: float
    p90: float | None
    p99: float | None
    samples: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Percentiles:
        """Compute the percentiles of one or more values."""
        p50, p90, p99 = (
            float(np.percentile(values, share)) if len(values) >= least else None
            for share, least in _ENOUGH.items()
        )
        assert p50 is not None  # noqa: S101 - for mypy
        return cls(p50, p90, p99, len(values))


@dataclass(frozen=True, slots=True)
class Interval:
    """The median of values that were measured one after another, and its confidence interval.

    Attributes:
        median: median of the values.
        low: lower end of the interval. With a probability of at least 0.95 the interval contains
            the true median, of all values that could have been measured.
        high: upper end of the interval.
        samples: number of values. With fewer than six, the interval spans all values, and the
            probability is less than 0.95.
    """

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Compute the interval of one or more values, by the sign test.

        The values may have any distribution.
        """
        ordered = sorted(values)
        count = len(ordered)
        # In `count` tosses of a coin, the probability of at most `cut` heads is 0.025 or less.
        # The arithmetic uses integers: binomial coefficients of a thousand tosses overflow a float.
        cut, tail = -1, 1
        while 40 * tail <= 2**count:
            cut += 1
            tail += math.comb(count, cut + 1)
        cut = max(cut, 0)
        return cls(float(np.median(ordered)), ordered[cut], ordered[count - 1 - cut], count)

    def contains(self, value: float) -> bool:
        """Whether a value is in the interval."""
        return self.low <= value <= self.high
