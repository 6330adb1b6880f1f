"""A review: the rows of one run, or of two on the same inputs, and their labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from galaxy_edge.errors import UsageError
from galaxy_edge.review.labels import LabelFile
from galaxy_edge.review.measures import difference, uncertainty
from galaxy_edge.review.rows import Row, Run

Key: TypeAlias = Literal["uncertainty", "difference", "score", "typicality", "verdict", "file"]
KEYS = get_args(Key)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to show, and in which order.

    Attributes:
        sort: what to sort by; rows without the value come last.
        descending: the largest value first.
        verdict: only rows whose (first) label is this; None for all.
        status: only rows of this status; None for all.
        labelled: only rows with a label ("yes"), without ("no"), or with one that is not the
            model's ("changed"); None for all.
        text: only rows whose identifier contains this, in any case.
    """

    sort: Key = "uncertainty"
    descending: bool = True
    verdict: str | None = None
    status: str | None = None
    labelled: Literal["yes", "no", "changed"] | None = None
    text: str = ""


@dataclass(slots=True)
class Review:
    """The rows of one or two runs and the file of their labels.

    Attributes:
        runs: one or two.
        rows: for each input, its row in each run.
        classes: that can be given as labels.
        labels: the file.
        images: the folder that relative paths start from; None for the working folder.
        only_in_one: inputs that only one of two runs has, which are not shown.
    """

    runs: tuple[Run, ...]
    rows: list[tuple[Row, ...]]
    classes: tuple[str, ...]
    labels: LabelFile
    images: Path | None = None
    only_in_one: int = 0
    _places: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._places = [
            self.labels.place(self.path(number)) if row[0].path else ""
            for number, row in enumerate(self.rows)
        ]

    def path(self, number: int) -> str:
        """The path of a row's image; empty for one without."""
        path = self.rows[number][0].path
        if not path:
            return ""
        return path if self.images is None else str(self.images / path)

    def label(self, number: int) -> str:
        """The label of a row's image; empty if it has none."""
        return self.labels.labels.get(self._places[number], "")

    def order(self, wanted: Wanted) -> list[int]:
        """The numbers of the rows to show, in order."""
        text = wanted.text.casefold()
        shown = [
            number
            for number, (first, *_) in enumerate(self.rows)
            if (wanted.verdict is None or first.label == wanted.verdict)
            and (wanted.status is None or first.status == wanted.status)
            and (not text or text in first.id.casefold())
            and (wanted.labelled is None or self._is(wanted.labelled, number))
        ]
        if wanted.sort == "file":
            return shown[::-1] if wanted.descending else shown
        values: dict[int, Any] = {number: self._value(wanted.sort, number) for number in shown}
        known = [number for number in shown if values[number] is not None]
        known.sort(key=lambda number: values[number], reverse=wanted.descending)
        return known + [number for number in shown if values[number] is None]

    def set(self, changes: Sequence[tuple[int, str]]) -> None:
        """Label rows, and return when the labels are on the disk.

        Args:
            changes: numbers of rows and their new labels; an empty one takes the label away.

        Raises:
            UsageError: there is no such row or class, or the row has no path to be known by.
            OSError: the labels could not be written; none of them counts.
        """
        for number, label in changes:
            if not 0 <= number < len(self.rows):
                raise UsageError(f"there is no row {number}")
            if label and label not in self.classes:
                raise UsageError(f"{label} is not one of the classes ({', '.join(self.classes)})")
            if not self._places[number]:
                raise UsageError("an input without a path cannot be labelled")
        self.labels.add([(self._places[one], label, self.rows[one][0]) for one, label in changes])

    def counts(self) -> dict[str, int]:
        """How many rows have a label, and how many have another than the model's."""
        every = range(len(self.rows))
        return {
            "labelled": sum(self._is("yes", number) for number in every),
            "changed": sum(self._is("changed", number) for number in every),
        }

    def verdicts(self) -> dict[str, dict[str, int]]:
        """The number of rows with each label and with each status of the (first) run."""
        return {
            "labels": dict(Counter(first.label for first, *_ in self.rows if first.label)),
            "statuses": dict(Counter(first.status for first, *_ in self.rows)),
        }

    def document(self, number: int) -> dict[str, Any]:
        """A row for the page, as JSON."""
        rows = self.rows[number]
        return {
            "row": number,
            "id": rows[0].id,
            "label": self.label(number),
            "difference": self._value("difference", number),
            "verdicts": [
                {
                    "status": row.status,
                    "error": row.error,
                    "label": row.label,
                    "score": row.score,
                    "probabilities": dict(zip(run.classes, row.probabilities, strict=False)),
                    "typicality": row.typicality,
                    "threshold": row.threshold,
                }
                for row, run in zip(rows, self.runs, strict=True)
            ],
        }

    def _is(self, kind: str, number: int) -> bool:
        label = self.label(number)
        if kind == "changed":
            return bool(label) and label != self.rows[number][0].label
        return bool(label) == (kind == "yes")

    def _value(self, key: Key, number: int) -> float | str | None:
        rows = self.rows[number]
        if key == "difference":
            return difference(*rows, *self.runs) if len(rows) == 2 else None
        if key == "uncertainty":
            return uncertainty(rows[0])
        if key == "verdict":
            return rows[0].label or None
        return rows[0].score if key == "score" else rows[0].typicality


def joined(first: Run, second: Run | None = None) -> tuple[list[tuple[Row, ...]], int]:
    """Join the rows of two runs on the same inputs, by identifier; or take those of one run.

    Several inputs with one identifier are joined in their order.

    Returns:
        The pairs, in the order of the first run; and how many rows of both runs have no partner.

    Raises:
        UsageError: no input is in both.
    """
    if second is None:
        return [(row,) for row in first.rows], 0
    others: defaultdict[str, list[Row]] = defaultdict(list)
    for row in reversed(second.rows):
        others[row.id].append(row)
    pairs: list[tuple[Row, ...]] = [
        (row, others[row.id].pop()) for row in first.rows if others[row.id]
    ]
    if not pairs:
        raise UsageError(
            f"{first.path} and {second.path} have no input in common; rows are joined by their id"
        )
    return pairs, len(first.rows) + len(second.rows) - 2 * len(pairs)
