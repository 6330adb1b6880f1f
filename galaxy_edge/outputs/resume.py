"""The rows an earlier run left in a text file, whatever ended it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.results import COLUMNS

TextForm: TypeAlias = Literal["jsonl", "csv"]
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """What makes rows comparable: those of another origin are no part of the same result.

    Attributes:
        labels: names of the negative and the positive class.
        model_sha256: digest of the model file.
        threshold: a score above it gives the positive label.
        digest: whether each row has the digest of its input.
    """

    labels: tuple[str, str]
    model_sha256: str
    threshold: float
    digest: bool = False


class Earlier:
    """The rows that are there already, and which inputs they are of.

    Args:
        origin: of the rows to come.
        stored: a path as the output holds it.

    Attributes:
        total: number of rows.
        failed: those of inputs that could not be read.
        positive: those with the positive label.
    """

    def __init__(self, origin: Origin, stored: Callable[[str], str] = str) -> None:
        self.total = self.failed = self.positive = 0
        self._origin = origin
        self._stored = stored
        self._paths: Counter[str] = Counter()

    def add(self, row: Row) -> None:
        """Count a row.

        Raises:
            UsageError: it is of another origin.
        """
        if row["model_sha256"] != self._origin.model_sha256:
            raise UsageError("its rows are of another model; name another output")
        if float(row["threshold"]) != self._origin.threshold:
            raise UsageError("its rows are of another threshold; name another output")
        if row["status"] == "ok" and bool(row["sha256"]) != self._origin.digest:
            has, needs = ("none", "with") if self._origin.digest else ("digests", "without")
            raise UsageError(f"its rows have {has}; go on {needs} --digest, or name another output")
        self.total += 1
        self.failed += row["status"] == "error"
        self.positive += row["label"] == self._origin.labels[1]
        self._paths[self._stored(row["path"] or "")] += 1

    def has(self, path: str) -> bool:
        """Whether an input has its row; one that is named twice has two."""
        key = self._stored(path)
        if not self._paths[key]:
            return False
        self._paths[key] -= 1
        return True


def read(path: Path, form: TextForm, earlier: Earlier) -> int:
    """Count the whole rows of a file.

    Returns:
        Bytes from the start to the end of the last whole row (or of the header); what follows was
        cut off by a kill or a full disk.

    Raises:
        UsageError: the file holds no rows of ours, or of another origin.
    """
    end = 0
    with path.open("rb") as file:
        for number, record in enumerate(_records(file, form)):
            try:
                row = _parse(record, form)
                is_header = form == "csv" and number == 0
                if not is_header:
                    earlier.add(row)
                elif tuple(row.values()) != COLUMNS:
                    raise ValueError("another header")  # noqa: TRY301 - one fault among the others
            except UsageError as error:
                raise UsageError(f"{path} cannot be resumed: {error}") from error
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
                raise UsageError(
                    f"{path} cannot be resumed: line {number + 1} is no row of results; name "
                    "another output, or leave out --resume to write it anew"
                ) from error
            end += len(record)
    return end


def rows(path: Path) -> Iterator[Row]:
    """The whole rows of a JSON Lines file."""
    with path.open("rb") as file:
        for record in _records(file, "jsonl"):
            yield json.loads(record)


def _records(file: BinaryIO, form: TextForm) -> Iterator[bytes]:
    record = b""
    for line in file:
        record += line
        # Inside quotes, a line end is part of a CSV row; quotes in a field are doubled.
        if form == "csv" and record.count(b'"') % 2:
            continue
        if record.endswith(b"\n"):
            yield record
            record = b""


def _parse(record: bytes, form: TextForm) -> Row:
    if form == "jsonl":
        row = json.loads(record)
        if not isinstance(row, dict) or row.keys() != set(COLUMNS):
            raise ValueError
        return row
    (values,) = csv.reader([record.decode("utf-8", "surrogateescape")], strict=True)
    return dict(zip(COLUMNS, values, strict=True))
