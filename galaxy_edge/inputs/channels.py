"""Stretch each channel by itself to 8 bits, between two of its percentiles.

For channels that are not the colours of one image, such as the science, template and difference of
an alert. A pixel x becomes 255 f((x - low) / (high - low)), clipped to 0 to 255; f is the identity
(linear), or asinh(q y) / asinh(q) as `astropy.visualization.AsinhStretch` has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.padding import padding
from galaxy_edge.inputs.preprocessing import Stretch

#: Whole numbers above this lose digits in double precision.
_MOST_DIGITS = 2**53


def separate(bands: npt.NDArray[np.generic], stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Stretch one or three channels.

    Masked, NaN and infinite pixels and padding (`galaxy_edge.inputs.padding`) do not count, and
    become the median of the others, which is the sky.

    Args:
        bands: [1 or 3, H, W] of any real dtype, the lowest row first, as in FITS.
        stretch: its kind, percentiles and softening. A black level replaces the low percentile, and
            a linear range is the distance from there to the high level.

    Returns:
        uint8 (H, W, 3), the upper row first; grey for one channel.

    Raises:
        ImageError: a channel has no valid pixel, or whole numbers too large for double precision.
    """
    channels = [_channel(band, stretch) for band in bands]
    image = np.stack(channels if len(channels) == 3 else channels * 3, axis=-1)
    return np.ascontiguousarray(image[::-1])


def squared(bands: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Extend a stamp that was cut off at the edge of a detector to a square.

    Resizing it would distort it. Pixels without a value are added after the last row or column.

    Args:
        bands: [B, H, W] of any real dtype.

    Returns:
        [B, N, N], N the larger of H and W; as given if it is square.
    """
    _, height, width = bands.shape
    if height == width:
        return bands
    side = max(height, width)
    added = ((0, 0), (0, side - height), (0, side - width))
    return np.pad(bands.astype(np.result_type(bands, np.float32)), added, constant_values=np.nan)


def _channel(band: npt.NDArray[Any], stretch: Stretch) -> npt.NDArray[np.uint8]:
    pixels = np.ma.getdata(band)
    if pixels.dtype.kind in "iu" and np.abs(pixels).max() > _MOST_DIGITS:
        raise ImageError(
            "its whole numbers are over 2^53, so double precision loses their last digits; "
            "subtract a constant first"
        )
    values = pixels.astype(np.float64)
    valid = np.isfinite(values) & ~np.ma.getmaskarray(band)
    if (pad := padding(pixels)) is not None:
        valid &= ~pad
    if not valid.any():
        raise ImageError("no pixel has a value: all are blank, NaN or infinite")
    # Powers of two change no digit, and sums and differences of pixels near 1 cannot overflow.
    exponent = -int(np.frexp(np.abs(values[valid]).max())[1])
    values = np.ldexp(values, exponent)
    values[~valid] = np.median(values[valid])
    low, high = np.percentile(values[valid], stretch.percentiles)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if stretch.minimum is not None:
            low = np.ldexp(stretch.minimum, exponent)
        if stretch.stretch is not None:
            high = low + np.ldexp(stretch.stretch, exponent)
        # A constant channel is black.
        share = np.clip((values - low) / (high - low), 0, 1) if high > low else 0 * values
    if stretch.kind == "asinh":
        share = np.arcsinh(stretch.q * share) / np.arcsinh(stretch.q)
    return np.rint(255 * share).astype(np.uint8)
