"""Run a survey: classify each part that is not finished."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from galaxy_edge import job
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.outputs.output import opened
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Tally
from galaxy_edge.survey.ledger import CONCURRENCY, Entry, Ledger
from galaxy_edge.survey.parts import Part
from galaxy_edge.survey.places import declared, images

if TYPE_CHECKING:
    from galaxy_edge.inputs.shards import Shard

#: Most parts, and most paths in them, that are in memory to be mixed.
_PARTS, _PATHS = 1000, 300_000


def classify(
    part: Part,
    predictor: Predictor,
    layout: Layout,
    ledger: Ledger,
    *,
    progress: Callable[[], None] = lambda: None,
    note: Callable[[str], None] = lambda text: None,
) -> Entry:
    """Classify a part and keep its rows.

    Args:
        part: the part.
        predictor: gives the verdicts.
        layout: how containers are read.
        ledger: keeps the rows.
        progress: called after each row.
        note: called with a sentence for the user.

    Raises:
        UsageError: an option for a container is missing or wrong.
    """
    bands = predictor.preprocessing.stretch.bands
    with tempfile.TemporaryDirectory(prefix="galaxy-edge-") as folder:
        rows = Path(folder, "rows.parquet")
        origin = job.origin(predictor, layout.keep)
        with opened(rows, "parquet", origin, resuming=False) as output:
            inputs = images(part.paths, Path(folder), bands=bands, layout=layout)
            tally = job.run(inputs, predictor, output, progress=progress, note=note)
        return ledger.finish(part, rows, tally, declared(part.paths, Path(folder), layout))


def unfinished(
    parts: Iterable[Part], ledger: Ledger, done: Tally, shard: Shard | None = None
) -> Iterator[Part]:
    """The parts to classify, in an order of this run's own.

    Several runs at once take the parts in different orders, so that they rarely do the same one. A
    part that another run finishes meanwhile is left out.

    Args:
        parts: all parts.
        ledger: knows which ones are finished.
        done: takes the counts of their rows.
        shard: take only the parts of this share.
    """
    for some in _mixed(part for part in parts if shard is None or shard.has(part.key)):
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            found = [*pool.map(ledger.entry, some)]
        for part, earlier in zip(some, found, strict=True):
            # Another run may have finished it since.
            entry = earlier or ledger.entry(part)
            if entry is None:
                yield part
            else:
                add(done, entry)
                done.earlier += entry.tally.total


def add(tally: Tally, entry: Entry) -> None:
    """Add the counts of a part."""
    tally.statuses.update(entry.statuses)
    tally.labels.update(entry.labels)


def _mixed(parts: Iterable[Part]) -> Iterator[list[Part]]:
    chance = random.Random()  # noqa: S311 - no secret
    some: list[Part] = []
    paths = 0
    for part in parts:
        some.append(part)
        paths += len(part.paths)
        if len(some) == _PARTS or paths >= _PATHS:
            chance.shuffle(some)
            yield some
            some, paths = [], 0
    chance.shuffle(some)
    yield some
