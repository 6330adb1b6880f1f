"""What the columns of a CSV file hold: whole numbers, numbers, or text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: A leading zero marks an identifier, such as 007, which is text.
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d*)", re.ASCII)
_DIGITS = re.compile(r"[+-]?0\d+", re.ASCII)
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf)", re.IGNORECASE | re.ASCII
)
#: Whole numbers of at most so many digits are exact in double precision, or fit into 64 bits.
_EXACT, _LONGEST = 15, 18


def column_types(rows: Iterable[Mapping[str, str]]) -> dict[str, Callable[[str], Any]]:
    """The type of each column: `int`, `float` or `str`, whichever reads all values exactly.

    Args:
        rows: all rows; an empty text is no value.
    """
    traits: dict[str, set[str]] = {}
    for row in rows:
        for name, text in row.items():
            traits.setdefault(name, set()).add(_trait(text))
    return {name: _type(found - {"empty"}) for name, found in traits.items()}


def _trait(text: str) -> str:
    if not text:
        return "empty"
    if _WHOLE.fullmatch(text):
        digits = len(text.lstrip("+-"))
        return "whole" if digits <= _EXACT else "long" if digits <= _LONGEST else "text"
    return "number" if _NUMBER.fullmatch(text) and not _DIGITS.fullmatch(text) else "text"


def _type(found: set[str]) -> Callable[[str], Any]:
    if found <= {"whole", "long"}:
        return int
    return float if found <= {"whole", "number"} else str
