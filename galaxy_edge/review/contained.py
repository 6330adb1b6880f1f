"""Pictures of images in containers, made in one pass over the container for a whole page."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.containers.labelled import digest
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.places import found_again, is_same_identifier
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.source import Source
from galaxy_edge.review.kept import Kept
from galaxy_edge.review.rows import Row

#: Bytes of pictures that are kept in memory, with some for each picture itself.
_MOST, _EACH = 2**26, 500
#: Pages whose pictures may still be asked for: the reader may turn pages faster than they are read.
_PAGES = 4


@dataclass(frozen=True, slots=True)
class _Found:
    """What a container has in a place.

    Attributes:
        png: the picture, or why there is none.
        id: the identifier; None for none.
        sha256: of the image; None if it cannot be read.
    """

    png: bytes | ImageError
    id: str | None
    sha256: str | None


class Contained:
    """The images of containers. A container is open only while it is read.

    Most containers can be read from the start only, or a block at a time. So the first picture of a
    page makes all of the page.

    Args:
        stretch: how FITS images become RGB.
        layout: how containers are read.
        packed: makes the PNG that is kept of an image.
    """

    def __init__(
        self, stretch: Stretch, layout: Layout, packed: Callable[[Image.Image], bytes]
    ) -> None:
        self._stretch, self._layout, self._packed = stretch, layout, packed
        self._kept: Kept[str, _Found] = Kept(
            _MOST, lambda one: _EACH + len(one.png) if isinstance(one.png, bytes) else _EACH
        )
        self._pages: deque[Sequence[str]] = deque(maxlen=_PAGES)
        self._reading = threading.Lock()

    def expect(self, paths: Sequence[str]) -> None:
        """Say which images will be asked for next.

        Args:
            paths: as rows have them; those of files do no harm.
        """
        if any("#" in path for path in paths):
            self._pages.append([path for path in paths if "#" in path])

    def png(self, path: str, row: Row) -> bytes:
        """The picture of an image.

        Args:
            path: where it is.
            row: what a model said about it.

        Raises:
            ImageError: there is none, and why; or the container has another image in this place.
        """
        found = self._kept.get(path)
        if found is None:
            # One at a time, so that the others of a page wait for the first.
            with self._reading:
                found = self._kept.get(path) or self._read(path)
        _check(found, row)
        if isinstance(found.png, ImageError):
            raise found.png
        return found.png

    def _read(self, path: str) -> _Found:
        pages = [*self._pages]
        if pages and not any(path in page for page in pages):
            raise ImageError("not read, because it is no longer on the page; reload the page")
        more = [one for page in pages for one in page if one not in self._kept]
        wanted = _Found(ImageError("not found in the container"), None, None)
        for source in found_again([path, *more], self._layout, self._stretch.bands):
            place, found = str(source.path), self._found(source)
            self._kept.add(place, found)
            wanted = found if place == path else wanted
        return wanted

    def _found(self, source: Source) -> _Found:
        identifier = None if source.id == source.path else source.id
        try:
            png: bytes | ImageError = self._packed(read(source, self._stretch))
        except ImageError as error:
            png = error
        return _Found(png, identifier, digest(source))


def _check(found: _Found, row: Row) -> None:
    """Refuse an image that is not that of the row: its container or an option is another.

    Raises:
        ImageError: its identifier or its digest differs.
    """
    has = found.id or ""
    # A row without an identifier has its path.
    if row.id != row.path and not is_same_identifier(row.id, has):
        # An image that cannot be read may have no identifier.
        if not has and isinstance(found.png, ImageError):
            raise found.png
        raise ImageError(
            f"the row has the identifier {row.id}, and the container "
            f"{f'the identifier {has}' if has else 'none'} in this place; give `review` the "
            "options of `predict`, such as --id-column or --catalogue, or find the container that "
            "was classified"
        )
    if row.sha256 and found.sha256 is not None and row.sha256 != found.sha256:
        raise ImageError(
            "the container has another image in this place than when it was classified; give "
            "`review` the options of `predict`, or find the container that was classified"
        )
