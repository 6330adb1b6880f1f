"""Turn a stamp, an image in an array, into 8-bit RGB.

- uint8 is a picture: it is taken as it is, its upper row first.
- Any other real dtype is stretched exactly like a FITS image with the same pixels: its first row is
  the lowest one.
- (H, W) is grey. Of three axes, the one of length 3 is the colours, red, green and blue; the one of
  length 1 makes it grey.
- Planes with names are chosen as those of a FITS cube with BAND keywords (`inputs.cubes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs import cubes
from galaxy_edge.inputs.fits_import import fits_reader
from galaxy_edge.inputs.limits import check_size
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.source import Stamp

_COLOURS = (1, 3)
#: Axes of this length are colours, or a list of pixels: no image is so narrow.
_NARROW = 4
#: Share of pixels without a value that is worth a note.
_MISSING = 0.1


def rgb(stamp: Stamp, stretch: Stretch, notes: list[str]) -> Image.Image:
    """Convert a stamp.

    Args:
        stamp: the pixels.
        stretch: how pixels that are no picture become RGB.
        notes: sentences for the user are added to it.

    Raises:
        ImageError: the array is no image, or has no pixel with a value.
    """
    notes += stamp.notes
    pixels = stamp.pixels
    if pixels.dtype.kind not in "iuf" or 0 in pixels.shape or pixels.ndim not in (2, 3):
        raise ImageError(
            f"not an image: an array of {pixels.dtype} with the shape {_shape(pixels)}"
        )
    planes = _planes(stamp)
    check_size(planes.shape[2], planes.shape[1])
    if min(planes.shape[1:]) <= _NARROW < max(planes.shape[1:]):
        raise ImageError(
            f"not an image: its shape is {_shape(pixels)}, and no image is so narrow; check the "
            "order of the axes"
        )
    _note_missing(planes, notes)
    if stamp.bands and len(stamp.bands) != len(planes):
        raise ImageError(f"it has {len(planes)} bands and {len(stamp.bands)} names of bands")
    if stamp.bands:
        header = {f"BAND{place}": name for place, name in enumerate(stamp.bands)}
        planes = cubes.planes(planes, header, stretch.bands, notes)
    if pixels.dtype == np.uint8 and not stamp.flux:
        picture = np.moveaxis(np.broadcast_to(planes, (3, *planes.shape[1:])), 0, -1)
        return Image.fromarray(np.ascontiguousarray(picture))
    if not (stamp.flux or stamp.bands):
        _note_range(planes, notes)
    return Image.fromarray(fits_reader().colour(planes, stretch))


def _planes(stamp: Stamp) -> npt.NDArray[Any]:
    """The pixels as [1, 3 or the number of bands, H, W]."""
    pixels = stamp.pixels
    if pixels.ndim == 2:
        return pixels[None]
    if stamp.bands:
        return pixels
    first, last = pixels.shape[0] in _COLOURS, pixels.shape[2] in _COLOURS
    if first == last:
        why = "two axes could be" if first else "no axis is"
        raise ImageError(
            f"not an image of one or three bands: its shape is {_shape(pixels)}, and {why} the "
            "colours (3) or a single band (1)"
        )
    return pixels if first else np.moveaxis(pixels, 2, 0)


def _note_missing(planes: npt.NDArray[Any], notes: list[str]) -> None:
    """Warn of an image that has a verdict although much of it is missing."""
    if planes.size > 1 and (planes == planes.flat[0]).all():
        notes.append(f"all its pixels are {planes.flat[0]:g}, as where there are no data")
    share = 1 - np.count_nonzero(np.isfinite(planes)) / planes.size
    if share >= _MISSING:
        notes.append(f"{share:.0%} of its pixels have no value")


def _note_range(planes: npt.NDArray[Any], notes: list[str]) -> None:
    """Warn of a picture that was stored in another type than uint8."""
    values = planes[np.isfinite(planes)]
    if not values.size:
        return
    low, high = values.min(), values.max()
    whole = planes.dtype.kind in "iu" or (high > 1 and bool((values == np.rint(values)).all()))
    if 0 <= low < high <= (255 if whole else 1):
        notes.append(
            f"its pixels are {planes.dtype} from {low:g} to {high:g}, as of a picture that is "
            "stretched already, and were stretched like FITS; store pictures as uint8 from 0 to 255"
        )


def _shape(pixels: npt.NDArray[Any]) -> str:
    return " x ".join(map(str, pixels.shape)) or "of a single number"
