"""The types of the kept columns: the same in all parts, so that their tables are one table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from galaxy_edge.errors import UsageError
from galaxy_edge.outputs import columnar
from galaxy_edge.outputs.kept import Kind
from galaxy_edge.outputs.resume import Origin
from galaxy_edge.survey.store import Store

#: The folder with a file for each column, by its place among the kept ones.
FOLDER = "columns"


def unify(
    rows: Path, part: str, store: Store, origin: Origin, declared: Mapping[str, Kind]
) -> None:
    """Give the kept columns of a part's table the types that they have in the survey.

    The first finished part that has a value in a column, or whose container declares its type,
    decides. Text takes every value, a floating-point column also whole numbers that it holds
    exactly. A column without any value and any type is text, and decides nothing.

    Args:
        rows: the table; it is written again if its types are others.
        part: what it is of, for people.
        store: has the types.
        origin: what all rows have in common.
        declared: types that the container declares, by the name of the column.

    Raises:
        UsageError: a value does not fit.
    """
    found = columnar.kept_kinds(rows, origin.kept)
    kinds: dict[str, Kind] = {}
    for place, (name, kind) in enumerate(found.items()):
        kinds[name] = _decided(store, place, name, kind or declared.get(name)) or "text"
        if not _fits(rows, name, kind, kinds[name]):
            raise UsageError(
                f"{part}: the column {name} holds {kind} here, but {kinds[name]} in the parts that "
                f"are finished ({FOLDER}/{place}.json in {store}); give it one type in all files "
                "of the source, or leave it out of --keep"
            )
    # A column without any value was written as text.
    if any(kinds[name] != (kind or "text") for name, kind in found.items()):
        columnar.retype(rows, origin.columns, origin.kept, kinds)


def _decided(store: Store, place: int, name: str, kind: Kind | None) -> Kind | None:
    """The type of a column in the survey, which is this one if no part was earlier."""
    file = f"{FOLDER}/{place}.json"
    if kind is not None:
        store.create(file, (json.dumps({"name": name, "type": kind}) + "\n").encode())
    content = store.read(file)
    if content is None:
        return None
    try:
        earlier = json.loads(content)["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} in {store} is damaged: {error!r}") from error
    if earlier not in get_args(Kind):
        raise UsageError(f"{file} in {store} is damaged: it has the type {earlier!r}")
    return earlier  # type: ignore[no-any-return]


def _fits(rows: Path, name: str, kind: Kind | None, into: Kind) -> bool:
    if kind == "int" and into == "float":
        return not columnar.has_long(rows, name)
    return kind in (None, into) or into == "text"
