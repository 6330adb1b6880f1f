"""The picture of a row as a PNG, read by the project's own decoder."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.bands import unbraced
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.places import place_of
from galaxy_edge.inputs.formats import container_kind, split_dataset
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.source import Content
from galaxy_edge.review.contained import Contained
from galaxy_edge.review.kept import Kept
from galaxy_edge.review.rows import Row

#: Height and width of a picture, pixels.
LARGEST = 1024
#: Bytes of pictures that are kept in memory.
_MOST = 2**26


class Pictures:
    """Pictures of images on the disk, none of which is changed.

    Args:
        stretch: how FITS images become RGB; by default `Stretch()`.
        layout: how containers are read; by default without options.
    """

    def __init__(self, stretch: Stretch | None = None, layout: Layout | None = None) -> None:
        self._stretch, self._layout = stretch or Stretch(), layout or Layout()
        self._kept: Kept[tuple[str, int], bytes] = Kept(_MOST, len)
        self._contained = Contained(self._stretch, self._layout, lambda image: _png(image, LARGEST))

    def expect(self, paths: Sequence[str]) -> None:
        """Say which pictures will be asked for next."""
        self._contained.expect(paths)

    def png(self, path: str, side: int, row: Row) -> bytes:
        """A picture no larger than ``side`` pixels in each direction.

        Args:
            path: of the file, or of the place in a container.
            side: pixels, at most `LARGEST`. Smaller images keep their size.
            row: what a model said about the image.

        Raises:
            ImageError: there is none, and why.
        """
        if not path:
            raise ImageError("it was an input in memory, which has no path")
        if not _exists(path) and place_of(path, self._layout) is not None:
            return _smaller(self._contained.png(path, row), side)
        if (found := self._kept.get((path, side))) is None:
            found = _png(read(self._content(path), self._stretch), side)
            self._kept.add((path, side), found)
        return found

    def _content(self, path: str) -> Content:
        if not _exists(path) and "#" in path:
            raise ImageError(
                "missing: the file does not exist; for a stamp of a mosaic, give `review` the "
                "--catalogue and the --size of `predict`"
            )
        is_container = container_kind(path) is not None and _exists(split_dataset(path)[0])
        if is_container or self._layout.catalogue is not None:
            raise ImageError("the row is about a whole container, not about an image")
        bands = None if _exists(path) else unbraced(path)
        return path if bands is None else bands


def _exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - never raises


def _png(image: Image.Image, side: int) -> bytes:
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _smaller(png: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return png if max(image.size) <= side else _png(image, side)
