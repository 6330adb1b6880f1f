"""Write rows as text to a stream: table, JSON Lines, CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol, TextIO

from galaxy_edge.decision import Scores
from galaxy_edge.outputs.text import csv_line, printable
from galaxy_edge.results import Prediction


class Writer(Protocol):
    """Writes predictions one by one."""

    def write(self, prediction: Prediction) -> None:
        """Write one prediction."""


class JsonLinesWriter:
    """One JSON object per line, in ASCII, so that no file name can break a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, prediction: Prediction) -> None:
        """Write one line."""
        self._stream.write(json.dumps(prediction.row()) + "\n")


class CsvWriter:
    """Rows under a header, quoted after RFC 4180; None is an empty cell.

    Args:
        stream: the output.
        names: names of the columns, in order.
        header: write them first.
    """

    def __init__(self, stream: TextIO, names: Sequence[str], *, header: bool = True) -> None:
        self._stream = stream
        self._names = names
        if header:
            self._stream.write(csv_line(names))

    def write(self, prediction: Prediction) -> None:
        """Write one row."""
        row = prediction.row()
        self._stream.write(csv_line(row[name] for name in self._names))


class TableWriter:
    """A table for people: verdict, score and path.

    Args:
        stream: the output.
        classes: classes of the model.
        statuses: that a row can have, besides ok.
        colour: colour the verdicts (for a terminal).
    """

    def __init__(
        self,
        stream: TextIO,
        classes: Sequence[str],
        statuses: Sequence[str] = ("error",),
        *,
        colour: bool = False,
    ) -> None:
        self._stream = stream
        self._last = classes[-1]
        self._colour = colour
        self._width = max(len(name) for name in (*classes, *statuses, "verdict"))
        # With three or more classes, the runner-up says how close the decision was.
        self._best_two = len(classes) > 2
        self._score_width = 6
        if self._best_two:
            self._score_width = 2 * (max(map(len, classes)) + 7) + 2
        title = f"{'best two':<{self._score_width}}" if self._best_two else f"{'score':>6}"
        self._stream.write(f"{'verdict':<{self._width}}  {title}  path\n")

    def write(self, prediction: Prediction) -> None:
        """Write one row."""
        name = prediction.id or prediction.path or "-"
        verdict = prediction.label or prediction.status
        if prediction.score is None:
            score, name = "-", f"{name}: {prediction.error}"
        # The score of an image that the model does not know would be read as a verdict.
        elif prediction.status == "out_of_distribution":
            score = "-"
        elif self._best_two:
            score = _best_two(prediction.scores)
        else:
            score = f"{prediction.score:.4f}"
        cell = f"{verdict:<{self._width}}"
        if self._colour:
            cell = f"\x1b[{self._shade(prediction)}m{cell}\x1b[0m"
        align = "<" if self._best_two else ">"
        self._stream.write(f"{cell}  {score:{align}{self._score_width}}  {printable(name)}\n")

    def _shade(self, prediction: Prediction) -> int:
        """Red for an error, grey for no label, green for the last class, yellow for the others."""
        if prediction.status == "error":
            return 31
        if prediction.label is None:
            return 90
        return 32 if prediction.label == self._last else 33


def _best_two(scores: Scores) -> str:
    ranked = sorted(scores.items(), key=lambda item: -(item[1] or 0))
    return ", ".join(f"{name} {score:.4f}" for name, score in ranked[:2])
