"""Read the rows that an earlier run left in a text file, even if that run was killed."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.outputs.text import csv_text
from galaxy_edge.results import Row, Tally, columns

TextForm: TypeAlias = Literal["jsonl", "csv"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What all rows of one output have in common.

    Attributes:
        classes: classes of the model.
        model_sha256: digest of the model file.
        threshold: threshold of the decision; None if it has none.
        digest: whether each row has the digest of its input.
        statuses: that a row can have, besides ok.
        kept: names of the user's own columns, in order.
        ood_limit: a typicality below it is out of distribution; None if all are accepted.
    """

    classes: tuple[str, ...]
    model_sha256: str
    threshold: float | None
    digest: bool = False
    statuses: tuple[str, ...] = ("error",)
    kept: tuple[str, ...] = ()
    ood_limit: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return columns(self.classes, self.kept)


class Earlier:
    """The rows of earlier runs, and their inputs.

    Args:
        origin: the origin that all rows must have.
        stored: converts an identifier or path to the text that the output stores.

    Attributes:
        tally: the counts of the rows.
        columns: names of the columns, in order.
    """

    def __init__(self, origin: Origin, stored: Callable[[str], str] = str) -> None:
        self.tally = Tally()
        self.columns = origin.columns
        self._origin = origin
        self._stored = stored
        self._inputs: Counter[tuple[str, str]] = Counter()
        # Some formats hold labels in ASCII.
        self._labels = {stored(name): name for name in origin.classes}

    def add(self, row: Row) -> None:
        """Count a row.

        Raises:
            UsageError: the row has another origin.
        """
        if row["model_sha256"] != self._origin.model_sha256:
            raise UsageError("its rows are from another model; choose another output")
        threshold = row["threshold"]
        if (float(threshold) if threshold not in (None, "") else None) != self._origin.threshold:
            raise UsageError("its rows have another threshold; choose another output")
        if row["status"] != "error" and bool(row["sha256"]) != self._origin.digest:
            has, needs = ("no digests", "with") if self._origin.digest else ("digests", "without")
            raise UsageError(
                f"its rows have {has}; resume {needs} --digest, or choose another output"
            )
        typicality = row["typicality"]
        if typicality not in (None, ""):
            odd = float(typicality) < (self._origin.ood_limit or 0.0)
            if odd != (row["status"] == "out_of_distribution"):
                raise UsageError(
                    "its rows have another out-of-distribution limit; choose another output"
                )
        self.tally.add(row["status"], self._labels.get(row["label"] or "", row["label"]))
        self.tally.earlier += 1
        self._inputs[self._key(row["id"], row["path"])] += 1

    def take(self, id: str | None, path: str | None) -> bool:  # noqa: A002 - the column's name
        """Take one row of an input away.

        Returns:
            Whether the input had a row left. An input that is named twice has two rows.
        """
        key = self._key(id, path)
        if not self._inputs[key]:
            return False
        self._inputs[key] -= 1
        return True

    def _key(self, id: str | None, path: str | None) -> tuple[str, str]:  # noqa: A002
        return self._stored(id or ""), self._stored(path or "")


def read(path: Path, form: TextForm, earlier: Earlier) -> int:
    """Count the complete rows of a file.

    Returns:
        Bytes from the start to the end of the last complete row (or of the header); the rest was
        cut off by a kill or a full disk.

    Raises:
        UsageError: the file contains anything but rows, or has rows of another origin.
    """
    end = 0
    names = earlier.columns
    with path.open("rb") as file:
        for number, record in enumerate(records(file, form)):
            try:
                row = _parse(record, form, names)
                is_header = form == "csv" and number == 0
                if not is_header:
                    earlier.add(row)
                elif tuple(row.values()) != names:
                    raise ValueError("another header")  # noqa: TRY301 - one fault among the others
            except UsageError as error:
                raise UsageError(f"{path} cannot be resumed: {error}") from error
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
                raise UsageError(
                    f"{path} cannot be resumed: line {number + 1} is not a row of this result; "
                    "choose another output, or leave out --resume to overwrite it"
                ) from error
            end += len(record)
    return end


def rows(path: Path) -> Iterator[Row]:
    """Yield the complete rows of a JSON Lines file."""
    with path.open("rb") as file:
        for record in records(file, "jsonl"):
            yield json.loads(record)


def records(file: BinaryIO, form: TextForm) -> Iterator[bytes]:
    """Yield the complete rows of a text file, each with its line end."""
    record = b""
    for line in file:
        record += line
        # A line end inside quotes belongs to the CSV row. Quotes in a field are doubled.
        if form == "csv" and record.count(b'"') % 2:
            continue
        if record.endswith(b"\n"):
            yield record
            record = b""


def _parse(record: bytes, form: TextForm, names: tuple[str, ...]) -> Row:
    if form == "jsonl":
        row = json.loads(record)
        if not isinstance(row, dict) or row.keys() != set(names):
            raise ValueError
        return row
    (values,) = csv.reader([record.decode("utf-8", "surrogateescape")], strict=True)
    return dict(zip(names, map(csv_text, values), strict=True))
