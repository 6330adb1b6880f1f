"""The images that are measured: drawn ones, so that no data is needed, or the user's."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.images import Pixels, read
from galaxy_edge.inputs.paths import expand
from galaxy_edge.predictor import Predictor

#: Of more, the first so many are measured, again and again.
_MOST = 256
_DRAWN = 32
#: Large ones are fewer: drawing and packing a million pixels takes most of a second.
_DRAWN_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True)
class Images:
    """What was measured with.

    Attributes:
        drawn: drawn ones, PNG files in memory; else the user's.
        count: how many, again and again.
        of_more: more were given, and these are the first.
        widths_px: the least and the greatest.
        heights_px: the same.
    """

    drawn: bool
    count: int
    of_more: bool
    widths_px: tuple[int, int]
    heights_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Workload:
    """Images to measure with.

    Attributes:
        images: what they are.
        sources: as `Predictor` takes them.
    """

    images: Images
    sources: tuple[str | bytes, ...]


def workload(arguments: Sequence[str], size: int | None, predictor: Predictor) -> Workload:
    """Images for a predictor.

    Args:
        arguments: files, folders, patterns or ``-``, as for `inputs.paths.expand`; none for
            drawn images.
        size: of a side of a drawn image, pixels; None for what the network takes.
        predictor: reads those given, each once, so that they are in the file cache.

    Raises:
        ImageError: one cannot be read.
        UsageError: images are given, and a size for drawn ones, too.
    """
    if not arguments:
        return _drawn(size or predictor.preprocessing.size)
    if size is not None:
        raise UsageError("--image-size is of drawn images, and images are given; leave out either")
    return _given(arguments, predictor)


def _given(arguments: Sequence[str], predictor: Predictor) -> Workload:
    # None says that a list on stdin makes us wait.
    found = (path for path in expand(arguments, sys.stdin.buffer) if path is not None)
    paths = list(islice(found, _MOST + 1))
    of_more = len(paths) > _MOST
    del paths[_MOST:]
    if not paths:
        raise ImageError("there are no images to measure with: the list is empty")
    for prediction in predictor.predict_many(paths):
        if prediction.status == "error":
            raise ImageError(
                f"{prediction.path} is {prediction.error}; measure with images that can be read"
            )
    sizes = [read(path, predictor.preprocessing.stretch).size for path in paths]
    widths, heights = zip(*sizes, strict=True)
    images = Images(
        drawn=False,
        count=len(paths),
        of_more=of_more,
        widths_px=(min(widths), max(widths)),
        heights_px=(min(heights), max(heights)),
    )
    return Workload(images, tuple(paths))


def drawn(seed: int, size: int) -> bytes:
    """A drawn galaxy, an RGB image in a PNG file.

    Args:
        seed: of its place, shape, colour and noise.
        size: of a side, pixels.
    """
    file = io.BytesIO()
    Image.fromarray(_galaxy(np.random.default_rng(seed), size)).save(file, "PNG")
    return file.getvalue()


def _drawn(size: int) -> Workload:
    count = min(max(_DRAWN_PIXELS // size**2, 2), _DRAWN)
    sources = tuple(drawn(seed, size) for seed in range(count))
    images = Images(
        drawn=True, count=count, of_more=False, widths_px=(size, size), heights_px=(size, size)
    )
    return Workload(images, sources)


def _galaxy(rng: np.random.Generator, size: int) -> Pixels:
    """An inclined exponential disc of random colour on a noisy sky, which packs as cutouts do."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2 + rng.uniform(-0.05, 0.05, (2, 1, 1)) * size
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = np.hypot(along, across / rng.uniform(0.3, 1)) / (rng.uniform(0.05, 0.15) * size)
    light = rng.uniform(100, 220) * np.exp(-radius)
    image = 12 + light[..., None] * rng.uniform(0.6, 1, 3) + rng.normal(0, 4, (size, size, 3))
    return np.asarray(image.clip(0, 255), np.uint8)
