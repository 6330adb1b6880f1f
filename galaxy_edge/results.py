"""Predictions: one row for each input, and the counts of a run's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from galaxy_edge.decision import Scores, Status
from galaxy_edge.errors import UsageError

#: Column name to value, in the order of the columns.
Row: TypeAlias = dict[str, Any]

#: Begins the name of a class's own column.
PROBABILITY = "p_"


@dataclass(frozen=True, slots=True)
class Prediction:
    """The verdict on one input, with its provenance.

    Attributes:
        id: the user's identifier, if the source has one; otherwise the path. None for an input
            without either, such as an array.
        path: the file, or where in a container the input lies; None for an input in memory.
        status: "ok"; "uncertain" or "out_of_distribution" for a score without a label; "error"
            for an input that could not be read.
        error: why it could not be read; None if it could.
        label: the class; None unless the status is "ok".
        score: two classes: P(positive); more: the probability of the most probable class. 0 to 1;
            None for a failed input.
        scores: the probability of each class, read-only.
        typicality: share of the training kind that is less typical, 0 to 1; None if the model does
            not compute it.
        threshold: the threshold of the decision; None if there is none.
        model: name of the model file.
        model_sha256: digest of the model file.
        provider: execution provider that computed the score.
        sha256: digest of the input, if asked for.
        notes: sentences about how the input was read, for the user; no column of the row.
        kept: more columns of the row, from the source: name to text, number, truth value or None.
    """

    id: str | None
    path: str | None
    status: Status
    error: str | None
    label: str | None
    score: float | None
    scores: Scores
    typicality: float | None
    threshold: float | None
    model: str
    model_sha256: str
    provider: str
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def row(self) -> Row:
        """The columns, as every output format has them: see `columns`."""
        return {
            "id": self.id,
            "path": self.path,
            "status": self.status,
            "error": self.error,
            "label": self.label,
            "score": self.score,
            **_own_columns(self.scores),
            "typicality": self.typicality,
            "threshold": self.threshold,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "provider": self.provider,
            "sha256": self.sha256,
            **self.kept,
        }


def columns(classes: Sequence[str], kept: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the columns of a run, in order.

    Args:
        classes: of the model. Three or more have a column ``p_CLASS`` each; of two, the score
            says it all.
        kept: names of the user's own columns, which come last.

    Raises:
        UsageError: the name of an own column is that of another, or begins with ``p_``.
    """
    before = ("id", "path", "status", "error", "label", "score")
    after = ("typicality", "threshold", "model", "model_sha256", "provider", "sha256")
    names = (*before, *_own_columns(dict.fromkeys(classes)), *after)
    for place, name in enumerate(kept):
        if name in names or name in kept[:place] or name.startswith(PROBABILITY):
            raise UsageError(
                f"{name} cannot be kept: a row has a column of this name already, or could have "
                f"(names with {PROBABILITY} are probabilities); rename it in your data"
            )
    return (*names, *kept)


def is_number(column: str) -> bool:
    """Whether a column holds numbers and not text."""
    return column in {"score", "typicality", "threshold"} or column.startswith(PROBABILITY)


def _own_columns(scores: Scores | dict[str, None]) -> dict[str, float | None]:
    if len(scores) == 2:
        return {}
    return {PROBABILITY + name: value for name, value in scores.items()}


@dataclass(slots=True)
class Tally:
    """Counts of rows.

    Attributes:
        statuses: number of rows by status.
        labels: number of rows by label.
        earlier: how many of them an earlier run wrote.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    earlier: int = 0

    def add(self, status: str, label: str | None) -> None:
        """Count one row."""
        self.statuses[status] += 1
        if label:
            self.labels[label] += 1

    @property
    def total(self) -> int:
        """All rows."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Rows of inputs that could not be read."""
        return self.statuses["error"]
