"""Types of the user's own columns in tables, where every value of a column has one type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from galaxy_edge.inputs.kept import Kept, text
from galaxy_edge.results import Row

Kind: TypeAlias = Literal["text", "int", "float", "bool"]

#: An integer without a value, in FITS; the smallest of 64 bits.
MISSING = -(2**63)
#: Double precision holds every whole number up to this.
_EXACT = 2**53


def kinds_of(rows: Iterable[Row], kept: Sequence[str]) -> dict[str, Kind]:
    """The type of each kept column: the narrowest that holds all of its values exactly.

    It depends only on the values, so that a resumed table equals that of an undisturbed run.

    Args:
        rows: all rows.
        kept: names of the columns.
    """
    seen: dict[str, set[str]] = {name: set() for name in kept}
    for row in rows:
        for name, found in seen.items():
            found.add(_trait(row[name]))
    return {name: _kind(found - {"none"}) for name, found in seen.items()}


def as_kind(value: Kept, kind: Kind | None) -> Any:
    """A value in the type of its column; None for a column that is not the user's own."""
    if value is None or kind is None or kind in ("int", "bool"):
        return value
    return float(value) if kind == "float" else text(value)


def _trait(value: Kept) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        if -_EXACT <= value <= _EXACT:
            return "int"
        return "long" if MISSING < value <= -(MISSING + 1) else "text"
    return "float" if isinstance(value, float) else "text"


def _kind(found: set[str]) -> Kind:
    kinds: Mapping[str, Kind] = {"bool": "bool", "int": "int", "long": "int", "float": "float"}
    if found and (found <= {"int", "long"} or len(found) == 1):
        return kinds.get(found.pop(), "text")
    return "float" if found == {"int", "float"} else "text"
