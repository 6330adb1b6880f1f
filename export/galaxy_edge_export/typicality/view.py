"""The pixels that the statistics are computed on: the network's input, or its middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from galaxy_edge.inputs.images import Pixels

Floats = npt.NDArray[np.float32]

#: Larger images are cropped to the middle, so that the cost has a limit, pixels.
LARGEST = 128
#: Smaller images have too few pixels for the statistics.
SMALLEST = 8


@dataclass(frozen=True, slots=True)
class View:
    """How the pixels come from the network's input.

    Attributes:
        size: height and width of the network's input, pixels.
        side: height and width of the pixels that the statistics are computed on.
    """

    size: int
    side: int

    @property
    def start(self) -> int:
        """The first row and column of the crop."""
        return (self.size - self.side) // 2

    def pixels(self, images: Pixels) -> Floats:
        """The pixels: grey levels, 0 to 255.

        Args:
            images: uint8 [N, size, size, 3].

        Returns:
            Float32 [N, 3, side, side].
        """
        inside = slice(self.start, self.start + self.side)
        cropped = np.moveaxis(images, -1, 1)[:, :, inside, inside]
        return np.ascontiguousarray(cropped, np.float32)


def view(size: int) -> View | None:
    """Choose the pixels for the statistics.

    Args:
        size: height and width of the network's input, pixels.

    Returns:
        None if the images are too small for them.
    """
    return View(size, min(size, LARGEST)) if size >= SMALLEST else None
