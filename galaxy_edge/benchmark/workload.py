"""The images used for a measurement: drawn ones, which need no data, or those of the user."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from galaxy_edge.drawing.galaxy import as_png, galaxy
from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.images import read
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


def _drawn(size: int) -> Workload:
    count = min(max(_DRAWN_PIXELS // size**2, 2), _DRAWN)
    sources = tuple(as_png(galaxy(seed, size)) for seed in range(count))
    images = Images(
        drawn=True, count=count, truncated=False, widths_px=(size, size), heights_px=(size, size)
    )
    return Workload(images, sources)
