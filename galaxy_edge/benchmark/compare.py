"""Compare the speed of two model files: ratios of their times, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from galaxy_edge.benchmark.subject import Model, Subject, verified
from galaxy_edge.benchmark.workload import Images, workload
from galaxy_edge.engine.turns import Work, in_blocks
from galaxy_edge.outputs.writers import Writer
from galaxy_edge.predictor import Predictor

#: A block is long compared with one run, and short compared with the drift of a machine's speed.
_BLOCK_SECONDS = 0.05
#: Blocks in a round: two scenarios, two files, two blocks each (A B B A).
_BLOCKS = 8
#: The smallest number of rounds that gives a 95 % interval.
_FEWEST_ROUNDS = 6

#: Seconds per image: of the first file and of the second.
_Times: TypeAlias = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison in one scenario. Times are seconds per image.

    Attributes:
        a_seconds: times of the first file.
        b_seconds: times of the second file.
        ratio: time of the first file divided by that of the second. Each round gives one ratio: of
            the median times in its blocks, which follow each other directly.
    """

    a_seconds: Percentiles
    b_seconds: Percentiles
    ratio: Interval


@dataclass(frozen=True, slots=True)
class Comparisons:
    """The contents of the JSON document, in SI units.

    Attributes:
        machine: the machine.
        a: the first file.
        b: the second file.
        images: the images used.
        differing_verdicts: number of images for which the verdicts of the two files differ.
        single_stream: `Predictor.predict` and writing the row, image by image.
        offline: `Predictor.predict_many` and writing the rows; each sample is one stream.
    """

    machine: Machine
    a: Model
    b: Model
    images: Images
    differing_verdicts: int
    single_stream: Comparison
    offline: Comparison


def compare(
    subjects: tuple[Subject, Subject],
    arguments: Sequence[str],
    image_size: int | None,
    seconds: float,
    note: Callable[[str], None] = lambda text: None,
) -> Comparisons:
    """Measure two model files in turns.

    Args:
        subjects: the files and how to run them.
        arguments: the user's images, as for ``predict``; empty for drawn images.
        image_size: width and height of drawn images, pixels; None for the input size of the first
            network.
        seconds: approximate duration.
        note: called with a sentence for each device that ``auto`` passed over.

    Raises:
        ModelError: a file cannot be used, or its scores here differ from those recorded at export.
        DeviceError: the device is not available.
        UsageError: an argument is out of its range.
        ImageError: an image cannot be read.
    """
    predictors = [subject.predictor() for subject in subjects]
    for name, predictor in zip("AB", predictors, strict=True):
        for text in predictor.notes:
            note(f"{name}: {text}")
    a, b = (verified(predictor) for predictor in predictors)
    load = workload(arguments, image_size, predictors[0])
    verdicts = [
        [(verdict.status, verdict.label) for verdict in predictor.predict_many(load.sources)]
        for predictor in predictors
    ]
    block = min(_BLOCK_SECONDS, seconds / (_BLOCKS * (1 + _FEWEST_ROUNDS)))
    with TemporaryDirectory(prefix="galaxy-edge-") as name:
        rounds = _rounds(subjects, load.sources, Path(name), block)
        # The first round does not count. Its duration gives the number of rounds that fit.
        once = timed(lambda: next(rounds))
        found = list(islice(rounds, max(int(seconds / once) - 1, _FEWEST_ROUNDS)))
    return Comparisons(
        machine=machine(subjects[0].threads),
        a=a,
        b=b,
        images=load.images,
        differing_verdicts=sum(one != other for one, other in zip(*verdicts, strict=True)),
        single_stream=_comparison([one for one, _ in found]),
        offline=_comparison([many for _, many in found]),
    )


def _comparison(found: Sequence[_Times]) -> Comparison:
    a, b = (Percentiles.of(list(chain(*times))) for times in zip(*found, strict=True))
    return Comparison(a, b, Interval.of([median(one) / median(other) for one, other in found]))


def _rounds(
    subjects: tuple[Subject, Subject], sources: Sequence[str | bytes], folder: Path, block: float
) -> Iterator[tuple[_Times, _Times]]:
    """Measure both files, single-stream and offline, in endless rounds.

    Each round loads the files again, in the opposite order: the place of a file's weights in memory
    changes its speed by about one percent.
    """
    for order in cycle(((0, 1), (1, 0))):
        with ExitStack() as stack:
            works = []
            for number in order:
                predictor = subjects[number].predictor()
                writer = stack.enter_context(rows(folder / f"{number}.jsonl", predictor))
                works.append(_Works(predictor, writer, sources, subjects[number].batch_size))
            single = _seconds([each.one for each in works], block, images=1, warm_up=3)
            # A stream starts with small batches, which serve as its warm-up.
            count = works[0].count
            many = _seconds([each.all for each in works], block, images=count, warm_up=0)
        yield (single[order[0]], single[order[1]]), (many[order[0]], many[order[1]])


def _seconds(
    works: Sequence[Work], block: float, *, images: int, warm_up: int
) -> list[list[float]]:
    """Time functions in turns.

    Args:
        works: the functions.
        block: duration of a block, seconds.
        images: number of images that each call processes.
        warm_up: number of calls at the start of each block that are not timed.

    Returns:
        For each function, the seconds per image of each call.
    """
    once = max(min(timed(work) for _ in range(2)) for work in works)
    # The same number of runs for both files, so that both process the same images.
    runs = max(round(block / once), 1)
    times = in_blocks(works, rounds=1, runs=runs, warm_up=warm_up)
    return [[taken / images for taken in one_round] for (one_round,) in times]


class _Works:
    """The two functions that are timed for one file."""

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
        # Batches double in size at the start of a stream, 1, 2, 4, ..., up to ``batch_size``. These
        # sizes add up to this count if ``batch_size`` is a power of two.
        self.count = 2 * batch_size - 1

    def one(self) -> None:
        self._writer.write(self._predictor.predict(next(self._sources)))

    def all(self) -> None:
        for prediction in self._predictor.predict_many(islice(self._sources, self.count)):
            self._writer.write(prediction)
