"""Two model files beside each other: ratios, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeAlias

from galaxy_edge.benchmark.cold import timed
from galaxy_edge.benchmark.machine import Machine, machine
from galaxy_edge.benchmark.measurement import rows
from galaxy_edge.benchmark.spread import Interval, Percentiles
from galaxy_edge.benchmark.subject import Model, Subject, proven
from galaxy_edge.benchmark.workload import Images, workload
from galaxy_edge.engine.turns import Work, in_blocks
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Writer

#: A block is long beside a run and short beside what a machine drifts by.
_BLOCK_SECONDS = 0.05
#: In a round: two scenarios, two files, forth and back.
_BLOCKS = 8
#: As few as give an interval of 95 %.
_FEWEST_ROUNDS = 6

#: Seconds of an image, of the first file and of the second.
_Times: TypeAlias = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One scenario. Seconds of one image.

    Attributes:
        a_seconds: of the first file.
        b_seconds: of the second.
        ratio: the first file's time in the second's, by round: of medians, of blocks that lie
            side by side.
    """

    a_seconds: Percentiles
    b_seconds: Percentiles
    ratio: Interval


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What the JSON document says, in SI units.

    Attributes:
        machine: where.
        a: the first file.
        b: the second.
        images: with what.
        verdicts_otherwise: of how many of the images the verdicts differ.
        single_stream: `Predictor.predict` and the row written, image by image.
        offline: `Predictor.predict_many` and the rows written; the percentiles are of streams.
    """

    machine: Machine
    a: Model
    b: Model
    images: Images
    verdicts_otherwise: int
    single_stream: Comparison
    offline: Comparison


def compare(
    subjects: tuple[Subject, Subject],
    arguments: Sequence[str],
    image_size: int | None,
    seconds: float,
) -> Comparisons:
    """Measure two model files in turns.

    Args:
        subjects: the files and how they are run.
        arguments: the user's images, as for ``predict``; none for drawn ones.
        image_size: of drawn ones, pixels; None for what the first network takes.
        seconds: for about so long.

    Raises:
        ModelError: a file cannot be used, or scores its own examples otherwise here.
        DeviceError: the device is not there.
        UsageError: an argument is out of its range.
        ImageError: an image cannot be read.
    """
    predictors = [subject.predictor() for subject in subjects]
    a, b = (proven(predictor) for predictor in predictors)
    load = workload(arguments, image_size, predictors[0])
    labels = [
        [verdict.label for verdict in predictor.predict_many(load.sources)]
        for predictor in predictors
    ]
    block = min(_BLOCK_SECONDS, seconds / (_BLOCKS * (1 + _FEWEST_ROUNDS)))
    with TemporaryDirectory(prefix="galaxy-edge-") as name:
        rounds = _rounds(subjects, load.sources, Path(name), block)
        # The first is a rehearsal, which says how many there is time for.
        once = timed(lambda: next(rounds))
        found = list(islice(rounds, max(int(seconds / once) - 1, _FEWEST_ROUNDS)))
    return Comparisons(
        machine=machine(subjects[0].threads),
        a=a,
        b=b,
        images=load.images,
        verdicts_otherwise=sum(one != other for one, other in zip(*labels, strict=True)),
        single_stream=_comparison([one for one, _ in found]),
        offline=_comparison([many for _, many in found]),
    )


def _comparison(found: Sequence[_Times]) -> Comparison:
    a, b = (Percentiles.of(list(chain(*times))) for times in zip(*found, strict=True))
    return Comparison(a, b, Interval.of([median(one) / median(other) for one, other in found]))


def _rounds(
    subjects: tuple[Subject, Subject], sources: Sequence[str | bytes], folder: Path, block: float
) -> Iterator[tuple[_Times, _Times]]:
    """Measure both files, single-stream and offline, again and again.

    They are loaded anew each time, the other one first: where a file's weights come to lie in
    memory makes a difference of a percent.
    """
    for order in cycle(((0, 1), (1, 0))):
        with ExitStack() as stack:
            works = []
            for number in order:
                predictor = subjects[number].predictor()
                writer = stack.enter_context(rows(folder / f"{number}.jsonl", predictor))
                works.append(_Works(predictor, writer, sources, subjects[number].batch_size))
            single = _beside([each.one for each in works], block, images=1, warm_up=3)
            # A stream begins with small batches, which warm it.
            count = works[0].count
            many = _beside([each.all for each in works], block, images=count, warm_up=0)
        yield (single[order[0]], single[order[1]]), (many[order[0]], many[order[1]])


def _beside(works: Sequence[Work], block: float, *, images: int, warm_up: int) -> list[list[float]]:
    """Time works of so many images each in blocks of so many seconds: seconds of one image."""
    once = max(min(timed(work) for _ in range(2)) for work in works)
    # As many for either file, so that they are of the same images.
    runs = max(round(block / once), 1)
    times = in_blocks(works, rounds=1, runs=runs, warm_up=warm_up)
    return [[taken / images for taken in one_round] for (one_round,) in times]


class _Works:
    """What is timed of one file."""

    def __init__(
        self,
        predictor: Predictor,
        writer: Writer,
        sources: Sequence[str | bytes],
        batch_size: int,
    ) -> None:
        self._predictor = predictor
        self._writer = writer
        self._sources = cycle(sources)
        # The batches at the start of a stream grow to the largest, and add up to as much.
        self.count = 2 * batch_size - 1

    def one(self) -> None:
        self._writer.write(self._predictor.predict(next(self._sources)))

    def all(self) -> None:
        for prediction in self._predictor.predict_many(islice(self._sources, self.count)):
            self._writer.write(prediction)
