"""What is usual in images of known sources: one Gaussian for each source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf

from galaxy_edge_export.typicality.statistics import Statistics

Densities = npt.NDArray[np.float64]

#: Added to the standard deviation of every statistic, in quadrature. The statistics are logarithms,
#: Fisher-transformed correlations and shares; less than this is no difference in how an image was
#: made, and more than fp32 loses.
_BLUR = 0.005
#: Number of parts of a cross-validation.
_FOLDS = 10
#: A held-out image that is as many quartile distances below the median is not of the training kind,
#: but a star or a damaged image among it. Of the survey images tried, 0.5 % or fewer are.
_CONTAMINANT = 25.0
#: Number of knots of the calibration.
_KNOTS = 64


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The statistics of one source.

    Attributes:
        whiten: float64 [K, K], makes uncorrelated numbers of variance 1 from statistics.
        centre: float64 [K], what `whiten` makes of their mean.
        constant: subtracted from half the negative squared distance, gives the log density but
            for a number that all sources share.
    """

    whiten: npt.NDArray[np.float64]
    centre: npt.NDArray[np.float64]
    constant: float

    def density(self, statistics: Statistics) -> Densities:
        """Log density [N] of statistics [N, K]."""
        away = statistics @ self.whiten - self.centre
        return np.asarray(-0.5 * (away**2).sum(axis=1) - self.constant, np.float64)


@dataclass(frozen=True, slots=True)
class Familiar:
    """What is usual in the images of some classes.

    Attributes:
        sources: one Gaussian for each source.
        densities: float64 [M], log densities of held-out images, increasing.
        shares: float64 [M], the share of held-out images that are less typical, 0 to 1,
            increasing from 0 to 1. Between densities, it is interpolated linearly.
    """

    sources: tuple[Gaussian, ...]
    densities: Densities
    shares: Densities

    def typicality(self, statistics: Statistics) -> Densities:
        """The share of images of the known sources that are less typical: [N], 0 to 1."""
        found = best_density(self.sources, statistics)
        return np.asarray(np.interp(found, self.densities, self.shares), np.float64)


def fit(statistics: Statistics) -> Gaussian:
    """Fit the Gaussian of one source, with Ledoit and Wolf's shrinkage of the covariance.

    Ledoit and Wolf 2004 (J. Multivariate Analysis 88, 365): it can be inverted even for fewer
    images than statistics.

    Args:
        statistics: [N, K], N at least 2.
    """
    mean = statistics.mean(axis=0)
    spread = np.maximum(statistics.std(axis=0), _BLUR)
    shrunk = LedoitWolf(assume_centered=True).fit((statistics - mean) / spread).covariance_
    covariance = shrunk * np.outer(spread, spread) + _BLUR**2 * np.eye(len(spread))
    values, vectors = np.linalg.eigh(covariance)
    whiten = vectors / np.sqrt(values)
    return Gaussian(whiten, mean @ whiten, float(0.5 * np.log(values).sum()))


def best_density(sources: Sequence[Gaussian], statistics: Statistics) -> Densities:
    """The largest log density [N] over the sources."""
    return np.asarray(np.max([one.density(statistics) for one in sources], axis=0), np.float64)


def familiar(sources: Sequence[Statistics], held_out: Statistics | None, seed: int = 0) -> Familiar:
    """Fit the sources and calibrate.

    Args:
        sources: the statistics of each source, [N, K]; N at least 2.
        held_out: statistics of other images of the same kind, [M, K]; None for a cross-validation:
            each tenth of each source is held out from a fit on the rest.
        seed: of the cross-validation.
    """
    fitted = tuple(map(fit, sources))
    if held_out is None:
        densities = _cross_validated(sources, seed)
    else:
        densities = best_density(fitted, held_out)
    return Familiar(fitted, *_calibration(densities))


def _cross_validated(sources: Sequence[Statistics], seed: int) -> Densities:
    rng = np.random.default_rng(seed)
    folds = [rng.permutation(len(one)) % _FOLDS for one in sources]
    found = []
    for fold in range(_FOLDS):
        parts = [
            (one[place != fold], one[place == fold])
            for one, place in zip(sources, folds, strict=True)
        ]
        fitted = [fit(train) for train, _ in parts if len(train) > 1]
        found.append(best_density(fitted, np.concatenate([test for _, test in parts])))
    return np.concatenate(found)


def _calibration(densities: Densities) -> tuple[Densities, Densities]:
    """The knots of the calibration: densities and shares."""
    ordered = np.sort(densities)
    count = len(ordered)
    # Dense where it decides: the first knots are single images, the last ones a twelfth of all.
    ranks = np.unique(np.geomspace(1, count, _KNOTS).round().astype(int))
    at, shares = ordered[ranks - 1], ranks / (count + 1)
    middle = ordered[count // 2]
    spread = max(middle - ordered[count // 4], 1e-3)
    # Nothing is known beyond the least and the most typical image: the share goes on to 0 and 1
    # over as much as one half of the images takes.
    lowest = max(at[0] - max(middle - at[0], 1.0), middle - _CONTAMINANT * spread)
    kept = at > lowest
    at = np.concatenate([[lowest], at[kept], [at[-1] + max(at[-1] - middle, 1.0)]])
    shares = np.concatenate([[0.0], shares[kept], [1.0]])
    # Images of equal density are one knot, with the share of all of them.
    last = np.append(np.diff(at) > 0, True)
    return at[last], shares[last]
