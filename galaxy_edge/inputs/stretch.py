"""Stretch one or three bands to uint8 RGB after Lupton et al. 2004.

The stretch computes in single precision. `_single` brings pixels that single precision would spoil
into its range first; all others pass unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.channels import separate
from galaxy_edge.inputs.lupton import lupton
from galaxy_edge.inputs.padding import padding
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.sky import sky

#: The automatic stretch is this many times the noise of the sky: faint outskirts show, and the sky
#: stays dark. Chosen by eye on SDSS frames, where it is about 0.1 to 0.2 nanomaggies.
NOISE_STRETCH = 10.0
#: If a black level is more than this many times the stretch, it is subtracted in double precision.
#: Up to it, single precision moves a pixel by less than a tenth of a grey level.
_HIGHEST_PEDESTAL = 2.0**12
#: Powers of two between which the typical pixel must lie, or the pixels are multiplied by one.
_EXPONENTS = (-80, 80)
#: Beyond it, levels are far from all pixels that have been multiplied by such a power.
_FAR = 2.0**100
#: Whole numbers above this lose digits in double precision.
_MOST_DIGITS = 2.0**53

Bands = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Levels:
    """What is measured in the bands.

    Attributes:
        black: the black level of each band.
        reach: the linear range; 0 if there is neither noise nor a pixel above black.
    """

    black: list[float]
    reach: float


def colour(bands: npt.NDArray[np.generic], stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Stretch one or three bands to RGB.

    Args:
        bands: [1 or 3, H, W] of any real dtype, red, green, blue; the lowest row first, as in
            FITS. Masked, NaN and infinite pixels and padding (`galaxy_edge.inputs.padding`) become
            sky.
        stretch: black level, range and softening; values that are None are measured.

    Returns:
        uint8 (H, W, 3), the upper row first.

    Raises:
        ImageError: a band has no valid pixel, or whole numbers too large for double precision.
    """
    if stretch.kind != "lupton":
        return separate(bands, stretch)
    pixels: npt.NDArray[Any] = np.ma.getdata(bands)
    missing = np.ma.getmaskarray(bands).copy()
    for place, band in enumerate(pixels):
        if (pad := padding(band)) is not None:
            missing[place] |= pad
    exponent = _exponent(pixels, missing)
    minimum = None if stretch.minimum is None else _scaled(stretch.minimum, exponent)
    reach = None if stretch.stretch is None else _scaled(stretch.stretch, exponent)
    values = _single(pixels, missing, exponent)
    levels = _levels(values, minimum, reach)
    if not np.can_cast(pixels.dtype, np.float32) and _is_high(levels):
        pedestals = _pedestals(pixels, missing, exponent, minimum)
        values = _single(pixels, missing, exponent, pedestals)
        levels = _levels(values, None if minimum is None else 0.0, reach)
    linear = levels.reach or (1.0 if reach is None else float(np.finfo(np.float64).tiny))
    return np.ascontiguousarray(lupton(values, levels.black, linear, stretch.q)[::-1])


def _exponent(pixels: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> int:
    """The power of two that brings the typical pixel near 1; 0 where single precision is safe.

    Multiplying by a power of two changes no picture.
    """
    if pixels.dtype.kind != "f":
        return 0
    typical = 0.0
    for band, mask in zip(pixels, missing, strict=True):
        sizes = np.abs(band[np.isfinite(band) & (band != 0) & ~mask])
        if sizes.size:
            # The order of magnitude is enough.
            some = sizes[:: max(1, sizes.size // 2**14)].astype(np.float64)
            typical = max(typical, float(np.partition(some, some.size // 2)[some.size // 2]))
    exponent = int(np.frexp(typical)[1])
    return 0 if _EXPONENTS[0] <= exponent <= _EXPONENTS[1] else -exponent


def _scaled(parameter: float, exponent: int) -> float:
    with np.errstate(over="ignore", under="ignore"):
        # Next to pixels near 1, anything larger gives the same picture, and could overflow.
        return float(np.clip(np.ldexp(parameter, exponent), -_FAR, _FAR))


def _single(
    pixels: npt.NDArray[Any],
    missing: npt.NDArray[np.bool_],
    exponent: int,
    pedestals: npt.NDArray[np.float64] | None = None,
) -> Bands:
    """Convert to single precision; NaN and infinite pixels have no value."""
    # A pixel out of the range becomes infinite: a mark, such as the largest double.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if exponent or pedestals is not None:
            pixels = np.ldexp(pixels.astype(np.float64), exponent)
        if pedestals is not None:
            pixels = pixels - pedestals[:, None, None]
        values = pixels.astype(np.float32)
    values[missing] = np.nan
    return values


def _levels(values: Bands, minimum: float | None, reach: float | None) -> _Levels:
    """Measure what is not given, and set pixels without a value to black."""
    black, noise = [], []
    for band in values:
        valid = np.isfinite(band)
        if not valid.any():
            raise ImageError("no pixel has a value: all are blank, NaN or infinite")
        median, deviation = sky(band[valid])
        black.append(median if minimum is None else minimum)
        noise.append(deviation)
        band[~valid] = black[-1]
    # In an image without noise (drawn, or constant), the brightest pixel sets the scale.
    brightest = max(float(values.max()) - min(black), 0.0)
    measured = NOISE_STRETCH * float(np.mean(noise)) or brightest
    return _Levels(black, measured if reach is None else reach)


def _is_high(levels: _Levels) -> bool:
    return max(map(abs, levels.black)) > _HIGHEST_PEDESTAL * levels.reach


def _pedestals(
    pixels: npt.NDArray[Any],
    missing: npt.NDArray[np.bool_],
    exponent: int,
    minimum: float | None,
) -> npt.NDArray[np.float64]:
    """The black level of each band in double precision, to be subtracted."""
    found = []
    for band, mask in zip(pixels, missing, strict=True):
        values = band[np.isfinite(band) & ~mask].astype(np.float64)
        found.append(float(np.median(np.ldexp(values, exponent))) if minimum is None else minimum)
    if pixels.dtype.kind in "iu" and max(map(abs, found)) > _MOST_DIGITS:
        raise ImageError(
            f"its black level of {max(found, key=abs):.4g} is over 2^53, so double precision "
            "loses the last digits of its pixels; subtract a constant first"
        )
    return np.array(found)
