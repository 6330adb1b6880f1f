"""The pixels that the statistics are computed on: the image at its working size.

A network may take enlarged images, such as 64 pixels enlarged to 150. Enlarging is a linear map of
each axis, followed by rounding to whole grey levels. Its pseudo-inverse gives the image before
enlarging, to within a fraction of a grey level, and rounding gives its whole grey levels again.
Halfway between two grey levels the rounding is a ramp and no step, so that processors which add in
another order agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.inputs.images import FILTERS, Pixels
from galaxy_edge.inputs.preprocessing import Preprocessing

Floats = npt.NDArray[np.float32]

#: Larger images are cropped to the middle, so that the cost has a limit, pixels.
LARGEST = 128
#: Smaller images have too few pixels for the statistics.
SMALLEST = 8
#: Largest factor by which undoing an enlargement may amplify the rounding to grey levels, along
#: one axis.
_GAIN = 1.0
#: Slope of the ramp between two grey levels.
RAMP = 4.0


@dataclass(frozen=True, slots=True)
class View:
    """How the pixels come from the network's input.

    Attributes:
        size: height and width of the network's input, pixels.
        side: height and width of the pixels that the statistics are computed on.
        undo: float32 [side, size], undoes the enlargement of one axis; None for a crop.
    """

    size: int
    side: int
    undo: Floats | None = None

    @property
    def start(self) -> int:
        """The first row and column of the crop."""
        return (self.size - self.side) // 2

    def pixels(self, images: Pixels) -> Floats:
        """The pixels: grey levels, 0 to 255, nearly all of them whole numbers.

        Args:
            images: uint8 [N, size, size, 3].

        Returns:
            Float32 [N, 3, side, side].
        """
        bands = np.moveaxis(images, -1, 1).astype(np.float32)
        if self.undo is None:
            inside = slice(self.start, self.start + self.side)
            return np.ascontiguousarray(bands[:, :, inside, inside])
        small = self.undo @ bands @ self.undo.T
        below = np.floor(small)
        ramp = np.clip((small - below) * np.float32(RAMP) - np.float32((RAMP - 1) / 2), 0, 1)
        return np.clip(below + ramp, 0, 255)


def view(preprocessing: Preprocessing) -> View | None:
    """Choose the pixels for the statistics.

    Returns:
        None if the images are too small for them.
    """
    size, working = preprocessing.size, preprocessing.working_size
    if working is not None and SMALLEST <= working < size:
        undo = np.linalg.pinv(_enlargement(working, size, preprocessing.resize))
        # An enlargement by a few pixels only loses what a pseudo-inverse would have to invent.
        if np.sqrt((undo**2).sum(axis=1)).max() <= _GAIN:
            side = min(working, LARGEST)
            first = (working - side) // 2
            return View(size, side, undo[first : first + side].astype(np.float32))
    return View(size, min(size, LARGEST)) if size >= SMALLEST else None


def _enlargement(small: int, large: int, resize: str) -> npt.NDArray[np.float64]:
    """The map [large, small] of one axis, as Pillow computes it."""
    identity = Image.fromarray(np.eye(small, dtype=np.float32))
    return np.array(identity.resize((small, large), FILTERS[resize]), np.float64)
