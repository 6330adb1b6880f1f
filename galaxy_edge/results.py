"""Predictions, and how they are written to a stream: table, JSON Lines, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Literal, Protocol, TextIO


@dataclass(frozen=True, slots=True)
class Prediction:
    """The verdict on one input, with its provenance.

    Attributes:
        path: the file, or None for an input that is no file.
        status: "ok", or "error" for an input that could not be read.
        error: why it could not be read; None when it could.
        label: the class; None without a score.
        score: P(positive class), 0 to 1; None for a failed input.
        threshold: a score above it gives the positive class.
        model: name of the model file.
        model_sha256: digest of the model file.
        provider: execution provider that computed the score.
        sha256: digest of the input, when asked for.
    """

    path: str | None
    status: Literal["ok", "error"]
    error: str | None
    label: str | None
    score: float | None
    threshold: float
    model: str
    model_sha256: str
    provider: str
    sha256: str | None = None


COLUMNS = tuple(item.name for item in fields(Prediction))


class Writer(Protocol):
    """Writes predictions one by one, as they come."""

    def write(self, prediction: Prediction) -> None:
        """Write one."""


class JsonLinesWriter:
    """One JSON object a line; ASCII, so that no file name can break it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, prediction: Prediction) -> None:
        """Write one line."""
        self._stream.write(json.dumps(asdict(prediction)) + "\n")


class CsvWriter:
    """Rows under a header, quoted as RFC 4180 says; what is None is empty.

    Args:
        stream: where to.
        header: begin with the names of the columns.
    """

    def __init__(self, stream: TextIO, *, header: bool = True) -> None:
        self._stream = stream
        if header:
            self._stream.write(csv_line(COLUMNS))

    def write(self, prediction: Prediction) -> None:
        """Write one row."""
        self._stream.write(csv_line(asdict(prediction).values()))


class TableWriter:
    """Columns for people, a row as soon as it is known: verdict, score, and the path last.

    Args:
        stream: where to.
        labels: the class names, which set the width of the first column.
        colour: colour the verdicts (for a terminal).
    """

    def __init__(self, stream: TextIO, labels: tuple[str, str], *, colour: bool = False) -> None:
        self._stream = stream
        self._labels = labels
        self._colour = colour
        self._width = max(len(name) for name in (*labels, "verdict"))
        self._stream.write(f"{'verdict':<{self._width}}  {'score':>6}  path\n")

    def write(self, prediction: Prediction) -> None:
        """Write one row."""
        path = prediction.path or "-"
        if prediction.score is None or prediction.label is None:
            verdict, score, path = "error", "-", f"{path}: {prediction.error}"
            colour = 31
        else:
            verdict, score = prediction.label, f"{prediction.score:.4f}"
            colour = 32 if verdict == self._labels[1] else 33
        cell = f"{verdict:<{self._width}}"
        if self._colour:
            cell = f"\x1b[{colour}m{cell}\x1b[0m"
        self._stream.write(f"{cell}  {score:>6}  {printable(path)}\n")


def csv_line(values: Iterable[object]) -> str:
    """A row as RFC 4180 quotes it, ended by a newline alone, as pipes like it; None is empty."""
    line = io.StringIO(newline="")
    # The module quotes a carriage return only where it ends its lines with one, and a bare one in
    # a file name would break the row.
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"


def printable(text: str) -> str:
    """Escape what could begin a row, or speak to the terminal: a file name may hold anything."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
