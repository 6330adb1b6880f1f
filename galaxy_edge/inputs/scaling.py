"""Turn the stored numbers of a FITS image into its values: BSCALE, BZERO and BLANK."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError

#: Integers of up to 16 bits are scaled in single precision, as astropy does, unless the offset is
#: more than this many steps of the scale, where single precision would round the steps away.
_MOST_STEPS = 2.0**16
#: Scales outside this range could overflow or vanish in single precision.
_SINGLE = (1e-30, 1e30)
_TOP_BIT = 2**63


def values(raw: npt.NDArray[Any], header: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Apply BSCALE, BZERO and BLANK.

    Args:
        raw: the stored numbers, of any shape and byte order.
        header: the keywords of the image.

    Returns:
        The values, in the shape of ``raw``: ``raw`` itself if there is nothing to apply, else
        float32 or float64, with NaN for blank pixels.

    Raises:
        ImageError: a keyword is not a number that makes sense.
    """
    scale, zero = _number(header, "BSCALE", 1.0), _number(header, "BZERO", 0.0)
    if scale == 0:
        raise ImageError("damaged: BSCALE in the header is 0, which makes all pixels equal")
    # The standard defines BLANK for integers only.
    blank = None if raw.dtype.kind == "f" else _blank(header)
    if (scale, zero, blank) == (1, 0, None):
        return raw
    if raw.dtype.itemsize == 8 and raw.dtype.kind == "i" and (scale, zero) == (1, _TOP_BIT):
        # Unsigned 64-bit integers: float64 would lose the last digits of the stored numbers.
        exact = raw.astype(np.int64).view(np.uint64) ^ np.uint64(_TOP_BIT)
        if blank is None:
            return exact
        scaled: npt.NDArray[Any] = exact.astype(np.float64)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = raw.astype(_precision(raw.dtype, scale, zero))
            scaled *= scale
            scaled += zero
    if blank is not None:
        scaled[raw == blank] = np.nan
    return scaled


def _precision(dtype: np.dtype[Any], scale: float, zero: float) -> type[np.floating[Any]]:
    small = dtype.kind != "f" and dtype.itemsize <= 2
    fits = _SINGLE[0] < abs(scale) < _SINGLE[1] and abs(zero) <= _MOST_STEPS * abs(scale)
    return np.float32 if small and fits else np.float64


def _number(header: Mapping[str, Any], key: str, default: float) -> float:
    value = header.get(key)
    if _is_undefined(value):
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ImageError(f"damaged: {key} in the header is {value!r}, not a number; correct it")
    return value


def _blank(header: Mapping[str, Any]) -> int | None:
    value = header.get("BLANK")
    if _is_undefined(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ImageError(
            f"damaged: BLANK in the header is {value!r}, not a whole number; correct or remove it"
        )
    return int(value)


def _is_undefined(value: object) -> bool:
    """Whether a keyword is absent or has no value, for which astropy has a class."""
    return value is None or type(value).__name__ == "Undefined"
