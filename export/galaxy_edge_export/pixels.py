"""Scale images as the author of a Keras model would, before calling it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export.config import InputRange


def scaled(images: Pixels, to: InputRange) -> npt.NDArray[np.float32]:
    """Scale bytes to a range.

    Args:
        images: uint8, any shape.
        to: the range.
    """
    pixels = images.astype(np.float32)
    match to:
        case "0..255":
            return pixels
        case "0..1":
            return pixels / np.float32(255)
        case "-1..1":
            return pixels / np.float32(127.5) - np.float32(1)
