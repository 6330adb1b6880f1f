"""Find the padding of a band: borders without data that were filled with one value.

Cutouts at the edge of a survey, and frames that were rotated, have borders of exact zeros or of
another single value. They say nothing about the sky. The rule is strict, because a galaxy may also
be drawn on a constant sky, and a sky of whole numbers has many equal pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

#: Pixels in a row, from a corner along a side, that must be equal.
_RUN = 8
#: Less padding than this share of a band does not matter: it moves the sky by a fortieth of its
#: noise.
_LEAST = 0.02
#: Among the other pixels, at most this share may have the value of the padding. A sky with many
#: equal pixels has more: whole numbers, photons counted one by one, negative pixels set to zero.
_MOST_INSIDE = 0.1
#: The edge of padding is straight, to this many pixels.
_STRAIGHT = 1.5
#: Of the pixels beside padding, at least these shares are above the faintest quarter of the image,
#: below its median, and above and below the next pixel inwards. Noise is like this. Around a galaxy
#: on a constant sky, nearly all are among the faintest and rise inwards.
_ABOVE, _BELOW, _EITHER_WAY = 0.3, 0.1, 0.2

Mask = npt.NDArray[np.bool_]


def padding(band: npt.NDArray[np.generic]) -> Mask | None:
    """Find the pixels of a band that are padding.

    Padding is a strip along a side, or a triangle in a corner, of at least 2 % of the band; all its
    pixels have one value, which is rare in the rest, and the pixels beside it are noise.

    Args:
        band: [H, W] of any real dtype.

    Returns:
        bool [H, W], or None if there is no padding.
    """
    if min(band.shape) < 2 * _RUN:
        return None
    found: dict[float, Mask] = {}
    for corner, place in enumerate(_corners(band)):
        value = place[0, 0]
        if (place[0, :_RUN] == value).all() or (place[:_RUN, 0] == value).all():
            mask = found.setdefault(float(value), np.zeros(band.shape, np.bool_))
            [*_corners(mask)][corner][_region(place == value)] = True
    masks = [mask for value, mask in found.items() if _is_padding(band, value, mask)]
    return np.logical_or.reduce(masks) if masks else None


def _corners(band: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Views of a band with each of its corners in turn at [0, 0]."""
    yield from (band, band[:, ::-1], band[::-1], band[::-1, ::-1])


def _region(equal: Mask) -> Mask:
    """The strip or triangle of equal pixels at [0, 0]; empty if its edge is not straight."""
    height = len(equal)
    # How deep the equal pixels reach in each column. Away from the corner the depth may not grow.
    depth = np.where(equal.all(axis=0), height, (~equal).argmax(axis=0))
    depth = np.minimum.accumulate(depth)
    whole = np.flatnonzero(depth == height)
    start, end = (int(whole[-1]) if whole.size else 0), int(depth.argmin())
    if end > start:
        columns = np.arange(start, end + 1)
        slope = (depth[end] - depth[start]) / (end - start)
        # The first of several whole columns is cut by the border, so its edge may lie further on.
        away = np.abs(depth[columns] - depth[end] - slope * (columns - end)) / np.hypot(1, slope)
        if away.max() > _STRAIGHT:
            return np.zeros_like(equal)
    return np.arange(height)[:, None] < depth


def _is_padding(band: npt.NDArray[np.generic], value: float, mask: Mask) -> bool:
    if np.count_nonzero(mask) < _LEAST * mask.size:
        return False
    pixels = band.astype(np.float64)
    finite = np.isfinite(pixels)
    pixels[~finite] = np.nan  # the difference of two infinite pixels would be a warning
    inside = ~mask & finite
    if np.count_nonzero(pixels[inside] == value) > _MOST_INSIDE * np.count_nonzero(inside):
        return False
    edges, rises = [], []
    for view in (lambda array: array, np.flipud, np.transpose, lambda array: np.flipud(array.T)):
        padded, valid, values = view(mask), view(inside), view(pixels)
        beside = padded[:-2] & valid[1:-1] & valid[2:]
        edges.append(values[1:-1][beside])
        rises.append((values[2:] - values[1:-1])[beside])
    edge, rise = np.concatenate(edges), np.concatenate(rises)
    if edge.size < _RUN:
        return False
    quarter, middle = np.percentile(pixels[inside], (25, 50))
    return bool(
        np.mean(edge > quarter) >= _ABOVE
        and np.mean(edge < middle) >= _BELOW
        and min(np.mean(rise > 0), np.mean(rise < 0)) >= _EITHER_WAY
    )
