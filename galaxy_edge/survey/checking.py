"""Score a sample of the finished rows again, and compare."""

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import GateError
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.source import Source
from galaxy_edge.outputs import columnar
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction, Row, is_number
from galaxy_edge.survey.ledger import Entry, Ledger
from galaxy_edge.survey.parts import Part
from galaxy_edge.survey.places import images

#: Most rows that the message about differences shows.
_SHOWN = 5


@dataclass(slots=True)
class Check:
    """The comparison of rows with new ones.

    Attributes:
        compared: number of rows.
        largest: largest difference of a number.
        differences: a sentence for each row that differs.
    """

    compared: int
    largest: float
    differences: list[str]

    def __iadd__(self, other: Check) -> Check:
        self.compared += other.compared
        self.largest = max(self.largest, other.largest)
        self.differences += other.differences
        return self

    def check(self) -> None:
        """Raise if a row differs.

        Raises:
            GateError: a row differs.
        """
        if self.differences:
            more = len(self.differences) - _SHOWN
            lines = self.differences[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
            raise GateError(
                f"{len(self.differences)} of {self.compared} rows differ from those of the survey: "
                + "; ".join(lines)
            )


def sample(entries: Iterable[Entry], count: int, parts: int, seed: int) -> dict[str, int]:
    """Choose parts at random, and how many rows of each to compare.

    Args:
        entries: finished parts.
        count: rows in all.
        parts: most parts, because each of them is read as a whole.
        seed: another seed gives another sample.

    Returns:
        Number of rows by the key of a part.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    known = {entry.key: entry.tally.total for entry in entries if entry.tally.total}
    chosen = chance.sample(sorted(known), min(parts, count, len(known)))
    rows = [key for key in chosen for _ in range(known[key])]
    return dict(Counter(chance.sample(rows, min(count, len(rows)))))


def compare(
    part: Part,
    entry: Entry,
    count: int,
    predictor: Predictor,
    layout: Layout,
    ledger: Ledger,
    seed: int,
) -> Check:
    """Score some rows of a part again.

    Args:
        part: the part.
        entry: its entry.
        count: number of rows.
        predictor: gives the new verdicts.
        layout: how containers are read.
        ledger: has the rows.
        seed: chooses the rows.
    """
    chance = random.Random(f"{seed}-{part.key}")  # noqa: S311 - no secret
    places = {*chance.sample(range(entry.tally.total), count)}
    rows = [row for place, row in enumerate(ledger.rows(entry)) if place in places]
    # A path may come twice: then the first image of the name is compared.
    wanted = {(row["id"], row["path"]): row for row in rows}
    bands = predictor.preprocessing.stretch.bands
    result = Check(0, 0.0, [])
    with tempfile.TemporaryDirectory(prefix="galaxy-edge-") as folder:
        inputs = images(part.paths, Path(folder), bands=bands, layout=layout)
        for prediction in predictor.predict_many(_wanted(inputs, {*wanted})):
            row = wanted.pop(_key(prediction))
            result.compared += 1
            largest, reason = _difference(row, prediction, predictor.manifest.tolerance)
            result.largest = max(result.largest, largest)
            if reason:
                result.differences.append(f"{row['path'] or row['id']}: {reason}")
    for row in wanted.values():
        result.compared += 1
        result.differences.append(f"{row['path'] or row['id']}: it is not in the source any more")
    return result


def _wanted(
    inputs: Iterable[Source | None], keys: set[tuple[str | None, str | None]]
) -> Iterator[Source | None]:
    for source in inputs:
        if source is None:
            yield None
        elif (key := _key(source)) in keys:
            keys.discard(key)
            yield source


def _key(one: Source | Prediction) -> tuple[str | None, str | None]:
    return _stored(one.id), _stored(one.path)


def _stored(text: str | None) -> str | None:
    return None if text is None else columnar.stored(text, "parquet") or None


def _difference(row: Row, prediction: Prediction, tolerance: float) -> tuple[float, str | None]:
    """The largest difference of a number, and what differs or None."""
    new = prediction.row()
    largest = 0.0
    for name in row:
        if not is_number(name):
            continue
        before, now = row[name], new[name]
        if (before is None) != (now is None):
            return math.inf, f"its {name} was {before}, now it is {now}"
        if before is not None:
            difference = abs(before - now)
            largest = max(largest, difference)
            if not difference <= tolerance:
                return difference, f"its {name} was {before}, now it is {now}"
    same = [row[name] == new[name] for name in ("status", "label")]
    # A score that another processor rounds may be on the other side of a threshold.
    if largest == 0.0 and not all(same):
        old = row["label"] or row["status"]
        return largest, f"it was {old}, now it is {new['label'] or new['status']}"
    return largest, None
