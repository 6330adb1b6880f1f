"""MLPerf's scenarios (https://arxiv.org/abs/1911.02549): single-stream and offline, both warm."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice

import numpy as np

from galaxy_edge.benchmark.spread import Interval, Percentiles
from galaxy_edge.benchmark.workload import Workload
from galaxy_edge.inputs.images import Source, decode
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Writer

#: A p90 needs as many.
_FEWEST = 10
#: What comes first does not count: so much of the time, and so many images.
_WARM_UP = 0.1
_WARM_UP_IMAGES = 3
#: As few as give an interval of 95 %.
_STREAMS = 6
#: Share of the time for whole streams; the rest is for their parts.
_WHOLE = 0.7


@dataclass(frozen=True, slots=True)
class SingleStream:
    """One image after the other; each waits for its verdict. Seconds of one image.

    Attributes:
        latency_seconds: `Predictor.predict` and the row written.
        decode_seconds: from the file's bytes to the network's input, of the images between.
        run_seconds: the network, of the images between.
        write_seconds: one row of JSON Lines.
        images_per_second: one after the other, with no pause.
    """

    latency_seconds: Percentiles
    decode_seconds: Percentiles
    run_seconds: Percentiles
    write_seconds: Percentiles
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Offline:
    """All images at hand at once. Seconds of one image.

    Attributes:
        images_per_second: `Predictor.predict_many` and the rows written, by stream.
        images: how many went through all streams.
        batch_size: of the largest batches.
        decode_seconds: one image, on one thread, while no other works.
        run_seconds: one image's share of a batch, on all threads.
        write_seconds: one row of JSON Lines, while the threads work.
    """

    images_per_second: Interval
    images: int
    batch_size: int
    decode_seconds: Percentiles
    run_seconds: Percentiles
    write_seconds: Percentiles


def single_stream(
    predictor: Predictor, workload: Workload, writer: Writer, seconds: float
) -> SingleStream:
    """Measure the latency.

    Args:
        predictor: gives the verdicts.
        workload: the images, again and again.
        writer: takes them.
        seconds: for so long; ten images at least.
    """
    latency: list[float] = []
    decoding, running, writing = [], [], []
    sources = workload.sources
    begun = time.perf_counter()
    for number in count():
        start = time.perf_counter()
        if len(latency) >= _FEWEST and start >= begun + seconds:
            break
        prediction = predictor.predict(sources[number % len(sources)])
        judged = time.perf_counter()
        writer.write(prediction)
        written = time.perf_counter()
        # The parts of another image, in the order in which `predict` has them: the caches hold
        # what they hold there.
        pixels = decode(
            sources[(number + len(sources) // 2) % len(sources)], predictor.preprocessing
        )
        decoded = time.perf_counter()
        predictor.score(pixels[None])
        run = time.perf_counter()
        if number >= _WARM_UP_IMAGES and start >= begun + _WARM_UP * seconds:
            latency.append(written - start)
            decoding.append(decoded - written)
            running.append(run - decoded)
            writing.append(written - judged)
    return SingleStream(
        latency_seconds=Percentiles.of(latency),
        decode_seconds=Percentiles.of(decoding),
        run_seconds=Percentiles.of(running),
        write_seconds=Percentiles.of(writing),
        images_per_second=len(latency) / sum(latency),
    )


def offline(
    predictor: Predictor, workload: Workload, writer: Writer, batch_size: int, seconds: float
) -> Offline:
    """Measure the throughput.

    Args:
        predictor: gives the verdicts.
        workload: the images, again and again.
        writer: takes them.
        batch_size: the predictor's.
        seconds: for so long; a batch in each of six streams at least.
    """
    rates, decoding, running, writing = [], [], [], []
    images = 0
    # The first stream, in which memory is asked for and the file grows warm, does not count.
    for stream in range(_STREAMS + 1):
        start = time.perf_counter()
        end = start + _WHOLE * seconds / (_STREAMS + 1)
        taken = 0
        for prediction in predictor.predict_many(_until(end, workload.sources, batch_size)):
            judged = time.perf_counter()
            writer.write(prediction)
            if stream:
                writing.append(time.perf_counter() - judged)
            taken += 1
        stopped = time.perf_counter()
        if stream:
            images += taken
            rates.append(taken / (stopped - start))
        for decoded, run in _parts(
            predictor, workload.sources, batch_size, stopped + (1 - _WHOLE) * (end - start) / _WHOLE
        ):
            decoding += decoded
            running.append(run)
    return Offline(
        images_per_second=Interval.of(rates),
        images=images,
        batch_size=batch_size,
        decode_seconds=Percentiles.of(decoding),
        run_seconds=Percentiles.of(running),
        write_seconds=Percentiles.of(writing),
    )


def _until(end: float, sources: Sequence[Source], least: int) -> Iterator[Source]:
    """Sources again and again until a time, and so many at least."""
    for number, source in enumerate(cycle(sources)):
        if number >= least and time.perf_counter() >= end:
            return
        yield source


def _parts(
    predictor: Predictor, sources: Sequence[Source], batch_size: int, end: float
) -> Iterator[tuple[list[float], float]]:
    """Batches until a time, one at least: seconds to decode each image, to score one of them."""
    images = cycle(sources)
    while True:
        decoding, pixels = [], []
        for source in islice(images, batch_size):
            start = time.perf_counter()
            pixels.append(decode(source, predictor.preprocessing))
            decoding.append(time.perf_counter() - start)
        batch = np.stack(pixels)
        start = time.perf_counter()
        predictor.score(batch)
        yield decoding, (time.perf_counter() - start) / batch_size
        if time.perf_counter() >= end:
            return
