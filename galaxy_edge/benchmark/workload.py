"""The images used for a measurement: drawn ones, which need no data, or those of the user."""

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

#: Maximum number of the user's images; only the first ones are used, repeatedly.
_MOST = 256
#: Maximum number of drawn images.
_DRAWN = 32
#: Maximum number of pixels in all drawn images, because drawing and compressing a million pixels
#: takes almost a second. At least two images are drawn.
_DRAWN_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True)
class Images:
    """Properties of the images used.

    Attributes:
        drawn: True for images drawn by the program (PNG files in memory), False for the user's.
        count: number of images; they are repeated as needed.
        truncated: whether the user gave more images, of which these are the first.
        widths_px: the smallest and the largest width.
        heights_px: the smallest and the largest height.
    """

    drawn: bool
    count: int
    truncated: bool
    widths_px: tuple[int, int]
    heights_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Workload:
    """The images to measure with.

    Attributes:
        images: properties of the images.
        sources: the images as sources for `Predictor`: paths, or contents of PNG files.
    """

    images: Images
    sources: tuple[str | bytes, ...]


def workload(arguments: Sequence[str], size: int | None, predictor: Predictor) -> Workload:
    """Choose the images to measure a predictor with.

    Args:
        arguments: files, folders, patterns or ``-``, as for `inputs.paths.expand`; empty for
            drawn images.
        size: width and height of drawn images, pixels; None for the network's input size.
        predictor: the predictor. It reads the user's images once, so that they are in the file
            cache.

    Raises:
        ImageError: an image cannot be read, or there are none.
        UsageError: both images and a size for drawn images are given.
    """
    if not arguments:
        return _drawn(size or predictor.preprocessing.size)
    if size is not None:
        raise UsageError(
            "--image-size is only for drawn images, but images are given; omit one of the two"
        )
    return _given(arguments, predictor)


def _given(arguments: Sequence[str], predictor: Predictor) -> Workload:
    # A None means that the list on stdin has no path available yet.
    found = (path for path in expand(arguments, sys.stdin.buffer) if path is not None)
    paths = list(islice(found, _MOST + 1))
    truncated = len(paths) > _MOST
    del paths[_MOST:]
    if not paths:
        raise ImageError("the list of images is empty; name at least one image to measure with")
    for prediction in predictor.predict_many(paths):
        if prediction.status == "error":
            raise ImageError(
                f"{prediction.path}: {prediction.error}; use only images that can be read"
            )
    sizes = [read(path, predictor.preprocessing.stretch).size for path in paths]
    widths, heights = zip(*sizes, strict=True)
    images = Images(
        drawn=False,
        count=len(paths),
        truncated=truncated,
        widths_px=(min(widths), max(widths)),
        heights_px=(min(heights), max(heights)),
    )
    return Workload(images, tuple(paths))


def drawn(seed: int, size: int) -> bytes:
    """Draw a galaxy.

    Args:
        seed: random seed of its position, shape, colour and noise.
        size: width and height, pixels.

    Returns:
        An RGB image as the contents of a PNG file.
    """
    file = io.BytesIO()
    Image.fromarray(_galaxy(np.random.default_rng(seed), size)).save(file, "PNG")
    return file.getvalue()


def _drawn(size: int) -> Workload:
    count = min(max(_DRAWN_PIXELS // size**2, 2), _DRAWN)
    sources = tuple(drawn(seed, size) for seed in range(count))
    images = Images(
        drawn=True, count=count, truncated=False, widths_px=(size, size), heights_px=(size, size)
    )
    return Workload(images, sources)


def _galaxy(rng: np.random.Generator, size: int) -> Pixels:
    """An inclined exponential disc of random colour on a noisy sky.

    PNG compresses it about as well as real cutouts.
    """
    y, x = np.mgrid[:size, :size] - (size - 1) / 2 + rng.uniform(-0.05, 0.05, (2, 1, 1)) * size
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    radius = np.hypot(along, across / rng.uniform(0.3, 1)) / (rng.uniform(0.05, 0.15) * size)
    light = rng.uniform(100, 220) * np.exp(-radius)
    image = 12 + light[..., None] * rng.uniform(0.6, 1, 3) + rng.normal(0, 4, (size, size, 3))
    return np.asarray(image.clip(0, 255), np.uint8)
