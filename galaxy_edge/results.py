"""Predictions, and how they are written to a stream: table, JSON Lines, CSV."""

from __future__ import annotations

import csv
import io
import json
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
        # The module quotes a carriage return only where it ends its lines with one, and a bare
        # one in a file name would break the row. Our lines end with a newline alone, as pipes
        # like them, so each is made apart.
        self._line = io.StringIO(newline="")
        self._rows = csv.DictWriter(self._line, COLUMNS, lineterminator="\r\n")
        if header:
            self._rows.writeheader()
            self._flush()

    def write(self, prediction: Prediction) -> None:
        """Write one row."""
        self._rows.writerow(asdict(prediction))
        self._flush()

    def _flush(self) -> None:
        self._stream.write(self._line.getvalue().removesuffix("\r\n") + "\n")
        self._line.seek(0)
        self._line.truncate()


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
        self._stream.write(f"{cell}  {score:>6}  {_printable(path)}\n")


def _printable(text: str) -> str:
    """Escape what could begin a row, or speak to the terminal: a file name may hold anything."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
