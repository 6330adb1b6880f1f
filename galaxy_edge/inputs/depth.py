"""From 16-bit values to 8 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError

#: Below this, a 16-bit image is noted: cameras of 10, 12 and 14 bits store smaller values, and so
#: use a quarter of the range at most.
_SMALL = 1 << 14
_CAMERAS = (10, 12, 14)


def eight_bits(
    values: npt.NDArray[np.uint16], bit_depth: int, notes: list[str]
) -> npt.NDArray[np.uint8]:
    """Keep the eight highest bits of values that have ``bit_depth`` bits.

    Args:
        values: uint16, any shape, 0 to 2 ** bit_depth - 1.
        bit_depth: 8 to 16; 16 keeps the high byte.
        notes: gets a sentence if the values are so small that few grey levels remain.

    Returns:
        uint8, the same shape.

    Raises:
        ImageError: a value has more bits.
    """
    largest = int(values.max())
    if largest >> bit_depth:
        raise ImageError(
            f"a value of {largest:,} is over {2**bit_depth - 1:,}, the largest of {bit_depth} "
            "bits; give the bit depth of the camera (--bit-depth), or 16"
        )
    if bit_depth == 16:
        note_small_range(largest, notes)
    return (values >> (bit_depth - 8)).astype(np.uint8)


def note_small_range(largest: int, notes: list[str]) -> None:
    """Add a note if values of at most ``largest`` leave most of a 16-bit range unused."""
    if not 0 < largest < _SMALL:
        return
    levels = (largest >> 8) + 1
    bits = next(bits for bits in _CAMERAS if not largest >> bits)
    left = f"only {levels} of 256 levels remain" if levels > 1 else "it becomes black"
    notes.append(
        f"it has 16 bits, but no value is over {largest:,}, so {left}; if its camera has {bits} "
        f"bits, use --bit-depth {bits}"
    )
