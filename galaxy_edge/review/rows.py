"""Read the rows of a run: CSV, JSON Lines, Parquet or FITS, as `predict` writes them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.tables import values
from galaxy_edge.outputs.resume import records
from galaxy_edge.outputs.text import csv_text
from galaxy_edge.results import PROBABILITY

_TEXTS = ("id", "path", "status", "error", "label", "model", "model_sha256", "sha256")
_NUMBERS = ("score", "typicality", "threshold")
#: Without these a file is no result of a run.
_NEEDED = ("path", "status", "label", "score")
_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet", ".fits")


@dataclass(frozen=True, slots=True)
class Row:
    """What a model said about one input: some columns of docs/rows.md.

    Attributes:
        id: the identifier; the path if the file has no other.
        path: of the file, or of the place in a container; empty for an input in memory.
        status: "ok", "uncertain", "out_of_distribution" or "error".
        error: why it could not be read; else empty.
        label: the class; empty unless the status is "ok".
        score: 0 to 1; None for a failed input.
        probabilities: of three or more classes, in the order of `Run.classes`; else empty.
        typicality: 0 to 1; None if the model computes none.
        threshold: of the decision; None if there is none.
        sha256: of the input, hexadecimal; empty if it was not requested.
    """

    id: str
    path: str
    status: str
    error: str
    label: str
    score: float | None
    probabilities: tuple[float, ...]
    typicality: float | None
    threshold: float | None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one file.

    Attributes:
        path: the file.
        rows: in their order.
        classes: the three or more classes whose probabilities the rows have; empty for two, which
            only the model file names.
        model: name of the model file; of several, the first.
        model_sha256: its digest, hexadecimal.
    """

    path: Path
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    model: str
    model_sha256: str


def read(path: Path) -> Run:
    """Read the rows of a run; a line that a kill cut off is left out.

    Raises:
        UsageError: the file is of another kind, has no rows, or lacks a column.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(f"{path} is not a file of rows; use {', '.join(_SUFFIXES)}")
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is not a file; check the path")
    reader: Callable[[Path], Iterator[Mapping[str, Any]]] = {
        ".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines
    }.get(suffix, _table)  # fmt: skip
    try:
        found = [*reader(path)]
        if not found:
            raise UsageError(f"{path} has no rows")
        missing = [name for name in _NEEDED if name not in found[0]]
        if missing:
            raise UsageError(
                f"{path} has no column {missing[0]}; name a file that `predict` has written"
            )
        names = [name for name in found[0] if name.startswith(PROBABILITY)]
        rows = tuple(_row(one, names) for one in found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise UsageError(f"{path} is not a file of rows: {error}") from error
    return Run(
        path,
        rows,
        tuple(name.removeprefix(PROBABILITY) for name in names),
        _text(found[0].get("model")),
        _text(found[0].get("model_sha256")),
    )


def _row(found: Mapping[str, Any], names: list[str]) -> Row:
    path, identifier = _text(found["path"]), _text(found.get("id"))
    probabilities = [_number(found[name]) for name in names]
    return Row(
        identifier or path,
        path,
        _text(found["status"]),
        _text(found.get("error")),
        _text(found["label"]),
        _number(found["score"]),
        tuple(value for value in probabilities if value is not None),
        _number(found.get("typicality")),
        _number(found.get("threshold")),
        _text(found.get("sha256")),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = float(value)
    # FITS has no other way to say that a number is missing.
    return None if math.isnan(number) else number


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open("rb") as file:
        lines = (record.decode("utf-8", "surrogateescape") for record in records(file, "csv"))
        for row in csv.DictReader(lines, strict=True):
            yield {name: csv_text(value) for name, value in row.items()}


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for record in records(file, "jsonl"):
            row = json.loads(record)
            if not isinstance(row, dict):
                raise TypeError("a line is not an object")
            yield row


def _table(path: Path) -> Iterator[dict[str, Any]]:
    wanted = {*_TEXTS, *_NUMBERS}
    return values(
        path, lambda names: [one for one in names if one in wanted or one.startswith(PROBABILITY)]
    )
