"""Two scenarios of MLPerf (https://arxiv.org/abs/1911.02549): single-stream and offline, warm."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice

import numpy as np

from galaxy_edge.benchmark.spread import Interval, Percentiles
from galaxy_edge.benchmark.workload import Workload
from galaxy_edge.inputs.images import decode
from galaxy_edge.outputs.writers import Writer
from galaxy_edge.predictor import Predictor

#: Minimum number of images; a p90 needs this many.
_FEWEST = 10
#: Warm-up that does not count: at least this share of the time and this number of images.
_WARM_UP = 0.1
_WARM_UP_IMAGES = 3
#: The smallest number of streams that gives a 95 % interval.
_STREAMS = 6
#: Share of the time for complete streams; the rest is for timing their parts.
_WHOLE = 0.7


@dataclass(frozen=True, slots=True)
class SingleStream:
    """One image after another: each starts after the verdict on the last. Seconds per image.

    Attributes:
        latency_seconds: `Predictor.predict` and writing the row.
        decode_seconds: decoding, from the file to the network's input. It is timed with another
            image, after each latency.
        run_seconds: running the network, timed in the same way.
        write_seconds: writing one row of JSON Lines.
        images_per_second: rate without pauses between the images.
    """

    latency_seconds: Percentiles
    decode_seconds: Percentiles
    run_seconds: Percentiles
    write_seconds: Percentiles
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Offline:
    """All images available at once. Seconds per image.

    Attributes:
        images_per_second: rate of `Predictor.predict_many` and writing the rows; each stream is one
            sample.
        images: number of images in all streams.
        batch_size: size of the largest batches.
        decode_seconds: decoding one image on one thread, while the others are idle.
        run_seconds: running the network on all threads: time of a batch divided by its size.
        write_seconds: writing one row of JSON Lines while the threads work.
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
        predictor: the model.
        workload: the images; they are repeated as needed.
        writer: writes the predictions.
        seconds: duration; at least ten images are measured.
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
        # Time the parts with another image, in the same order as in `predict`, so that the
        # processor's caches are in the same state.
        pixels = decode(
            sources[(number + len(sources) // 2) % len(sources)], predictor.preprocessing
        )
        decoded = time.perf_counter()
        predictor.scores(pixels[None])
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
        predictor: the model.
        workload: the images; they are repeated as needed.
        writer: writes the predictions.
        batch_size: batch size of the predictor.
        seconds: duration; at least one batch is measured in each of six streams.
    """
    rates, decoding, running, writing = [], [], [], []
    images = 0
    # The first stream does not count: it allocates memory and warms the caches.
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


def _until(end: float, sources: Sequence[str | bytes], least: int) -> Iterator[str | bytes]:
    """Repeat the sources until a time, and at least ``least`` of them."""
    for number, source in enumerate(cycle(sources)):
        if number >= least and time.perf_counter() >= end:
            return
        yield source


def _parts(
    predictor: Predictor, sources: Sequence[str | bytes], batch_size: int, end: float
) -> Iterator[tuple[list[float], float]]:
    """Time the parts of batches until a time, at least one batch.

    Yields:
        For each batch, the seconds to decode each image, and the seconds per image to score them.
    """
    images = cycle(sources)
    while True:
        decoding, pixels = [], []
        for source in islice(images, batch_size):
            start = time.perf_counter()
            pixels.append(decode(source, predictor.preprocessing))
            decoding.append(time.perf_counter() - start)
        batch = np.stack(pixels)
        start = time.perf_counter()
        predictor.scores(batch)
        yield decoding, (time.perf_counter() - start) / batch_size
        if time.perf_counter() >= end:
            return
