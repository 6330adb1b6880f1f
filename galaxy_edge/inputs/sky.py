"""The level and the noise of the sky: median and standard deviation after sigma clipping.

The numbers are those of `astropy.stats.sigma_clipped_stats` to the bit, in less time: the pixels
are kept partly in order from one median to the next.
"""

from __future__ import annotations

from bisect import bisect_right, insort

import numpy as np
import numpy.typing as npt

#: Pixels further than this many standard deviations from the median are left out (astropy).
_SIGMA = 3.0
#: Most rounds (astropy).
_ROUNDS = 5


def sky(band: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Measure the sky of a band.

    Args:
        band: [N], finite; at least one.

    Returns:
        The median and the standard deviation of what is left.
    """
    # In double precision, because single precision is too coarse for the sums of a large frame.
    pixels = band.astype(np.float64)
    ranked = _Ranked(band)
    start, end = 0, len(band)
    for _ in range(_ROUNDS):
        middle, reach = ranked.median(start, end), _SIGMA * pixels.std()
        below, above = pixels < middle - reach, pixels > middle + reach
        start += int(np.count_nonzero(below))
        end -= int(np.count_nonzero(above))
        if end - start == len(pixels):
            break
        # In their own order, because sums of floats depend on it.
        pixels = pixels[~(below | above)]
    return ranked.median(start, end), float(pixels.std())


class _Ranked:
    """Finds values by their rank, and remembers which ranks are in place.

    Args:
        values: [N].
    """

    def __init__(self, values: npt.NDArray[np.floating]) -> None:
        self._values = values.copy()
        # Everything before such a place is at most as large, everything from it on at least.
        self._ends = [0, len(values)]
        self._found: set[int] = set()

    def median(self, start: int, end: int) -> float:
        """The median of the values from one rank up to another one."""
        middle = (start + end) // 2
        if (end - start) % 2:
            return self._at(middle)
        return (self._at(middle - 1) + self._at(middle)) / 2

    def _at(self, rank: int) -> float:
        if rank not in self._found:
            place = bisect_right(self._ends, rank)
            start, end = self._ends[place - 1], self._ends[place]
            self._values[start:end].partition(rank - start)
            self._found.add(rank)
            for bound in {rank, rank + 1} - {*self._ends}:
                insort(self._ends, bound)
        return float(self._values[rank])
