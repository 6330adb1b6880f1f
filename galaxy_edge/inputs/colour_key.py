"""The transparent colour of a PNG without an alpha channel (its chunk tRNS)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from galaxy_edge.errors import ImageError

#: Grey levels of 2 and 4 bits are multiplied by these to fill 8 bits; Pillow leaves the key as is.
_SCALES = {"L;2": 85, "L;4": 17}


def correct_key(image: Image.Image, raw_mode: str) -> None:
    """Bring the key of an 8-bit image to the depth of its pixels, in place.

    Args:
        image: an image that Pillow has read; only grey of 2 and 4 bits and 16-bit colour change.
        raw_mode: Pillow's name for the layout in the file.

    Raises:
        ImageError: the key is a colour of 16 bits, and Pillow's 8 bits do not show which pixels
            have it.
    """
    key = image.info.get("transparency")
    if isinstance(key, int) and raw_mode in _SCALES:
        image.info["transparency"] = key * _SCALES[raw_mode]
    elif isinstance(key, tuple) and (raw_mode == "RGB;16B" or max(key) > 255):
        high = [value >> 8 for value in key]
        # Transparent pixels become black, which these pixels are already.
        if any(high) and (np.asarray(image) == high).all(axis=2).any():
            raise ImageError(
                "not supported: a PNG with 16-bit colour and one transparent colour; save it "
                "with an alpha channel or with 8 bits"
            )
        del image.info["transparency"]
