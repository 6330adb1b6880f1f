"""Values of a user's own columns, in the few types that every output can hold."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

import numpy as np

from galaxy_edge.errors import ImageError

#: Double precision holds every whole number below this.
_EXACT = 2**53

#: A number, a truth value, text, or None for no value.
Kept: TypeAlias = str | int | float | bool | None


def plain(value: Any) -> Kept:
    """Convert a value of a table, an array or a JSON document.

    - NumPy's numbers become Python's; a single-precision number its shortest decimal.
    - NaN and infinity, which JSON lacks, and masked values become None.
    - Bytes are decoded as UTF-8. Lists, arrays and structures become JSON; anything else, such as
      a date, its text.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, np.floating):
        value = float(str(value)) if value.itemsize <= 4 else float(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (dict, list, tuple, np.ndarray)):
        value = value.tolist() if isinstance(value, np.ndarray) else value
        return _json(value)
    return str(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, default=plain, allow_nan=False)
    except ValueError:  # NaN or infinity
        finite = json.loads(json.dumps(value, default=plain), parse_constant=lambda name: None)
        return json.dumps(finite)


def identifier(value: Any) -> str | None:
    """The text of an identifier in a column; None if it has no value.

    Raises:
        ImageError: it is a floating-point number, which may have lost the last digits of a long
            identifier, or has a fraction.
    """
    kept = plain(value)
    if isinstance(kept, float) and not (kept.is_integer() and abs(kept) < _EXACT):
        raise ImageError(
            f"its identifier, {kept!r}, is a floating-point number, which may have lost digits; "
            "store identifiers as whole numbers or text"
        )
    return text(kept).strip() or None


def text(value: Kept) -> str:
    """The text of a value: of a whole number its digits, of a truth value ``true`` or ``false``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return str(value)
