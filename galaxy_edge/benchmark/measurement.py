"""All measurements of one model file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from galaxy_edge import job
from galaxy_edge.benchmark import cold
from galaxy_edge.benchmark.cold import Cold, Warm
from galaxy_edge.benchmark.machine import Machine, machine
from galaxy_edge.benchmark.memory import Memory, peak_bytes
from galaxy_edge.benchmark.scenarios import Offline, SingleStream, offline, single_stream
from galaxy_edge.benchmark.spread import Percentiles
from galaxy_edge.benchmark.subject import Model, Subject, verified
from galaxy_edge.benchmark.workload import Images, workload
from galaxy_edge.outputs.output import opened
from galaxy_edge.outputs.writers import Writer
from galaxy_edge.predictor import Predictor

#: Shares of the total time.
_SINGLE_STREAM, _OFFLINE, _LOADS, _PROCESSES = 0.3, 0.35, 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Measurement:
    """The contents of the JSON document, in SI units.

    Attributes:
        machine: the machine.
        model: the model file.
        images: the images used.
        cold: times of a cold start.
        warm: times in a process that has loaded the model before.
        single_stream: latency.
        offline: throughput.
        memory: memory of the measuring process.
    """

    machine: Machine
    model: Model
    images: Images
    cold: Cold
    warm: Warm
    single_stream: SingleStream
    offline: Offline
    memory: Memory


def measure(
    subject: Subject,
    arguments: Sequence[str],
    image_size: int | None,
    seconds: float,
    note: Callable[[str], None] = lambda text: None,
) -> Measurement:
    """Measure a model file.

    Args:
        subject: the file and how to run it.
        arguments: the user's images, as for ``predict``; empty for drawn images.
        image_size: width and height of drawn images, pixels; None for the network's input size.
        seconds: approximate duration.
        note: called with a sentence for each device that ``auto`` passed over.

    Raises:
        ModelError: the file cannot be used, or its scores here differ from those recorded at
            export.
        DeviceError: the device is not available.
        UsageError: an argument is out of its range.
        ImageError: an image cannot be read.
    """
    before = peak_bytes()
    loaded: list[Predictor] = []
    first_load = cold.timed(lambda: loaded.append(subject.predictor()))
    (predictor,) = loaded
    for text in predictor.notes:
        note(text)
    model = verified(predictor)
    after = peak_bytes()
    load = workload(arguments, image_size, predictor)
    with TemporaryDirectory(prefix="galaxy-edge-") as name:
        folder = Path(name)
        with rows(folder / "rows.jsonl", predictor) as writer:
            single = single_stream(predictor, load, writer, _SINGLE_STREAM * seconds)
            many = offline(predictor, load, writer, subject.batch_size, _OFFLINE * seconds)
        peak = peak_bytes()
        loads = cold.repeated(subject.predictor, _LOADS * seconds)
        image, options = _file(load.sources[0], folder), subject.options()
        first, *others = cold.repeated(lambda: cold.predict(image, options), _PROCESSES * seconds)
    return Measurement(
        machine=machine(subject.threads),
        model=model,
        images=load.images,
        cold=Cold(first, Percentiles.of(others), first_load),
        warm=Warm(Percentiles.of(loads)),
        single_stream=single,
        offline=many,
        memory=Memory(peak, None if before is None or after is None else after - before),
    )


@contextmanager
def rows(path: Path, predictor: Predictor) -> Iterator[Writer]:
    """Open an output file as ``predict -o rows.jsonl`` does."""
    with opened(path, "jsonl", job.origin(predictor), resuming=False) as output:
        yield output.writer


def _file(source: str | bytes, folder: Path) -> str:
    """The path of a source, for another process; bytes are written to a file."""
    if isinstance(source, bytes):
        path = folder / "image.png"
        path.write_bytes(source)
        return str(path)
    return os.path.abspath(source)  # noqa: PTH100 - a FITS extension may follow the path
