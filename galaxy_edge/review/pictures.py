"""The picture of a row as a PNG, read by the project's own decoder."""

from __future__ import annotations

import io
import tarfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.bands import unbraced
from galaxy_edge.inputs.content import MAX_BYTES
from galaxy_edge.inputs.formats import container_kind
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.source import Content

#: Bytes of pictures that are kept in memory.
_KEPT = 64 * 2**20


class Pictures:
    """Pictures of images on the disk, none of which is changed.

    Members of a tar without compression and of a zip have pictures; images in other containers do
    not, since they cannot be found without reading the whole container.

    Args:
        stretch: how FITS images become RGB; by default `Stretch()`.
    """

    def __init__(self, stretch: Stretch | None = None) -> None:
        self._stretch = stretch
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._archives = threading.Lock()
        self._readers: dict[str, Callable[[str], bytes]] = {}

    def png(self, path: str, side: int) -> bytes:
        """A picture no larger than ``side`` pixels in each direction.

        Args:
            path: of the file, or of the place in a container.
            side: pixels. Smaller images keep their size.

        Raises:
            ImageError: there is none, and why.
        """
        if not path:
            raise ImageError("it was an input in memory, which has no path")
        key = (path, side)
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        image = read(self._content(path), self._stretch)
        image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
        file = io.BytesIO()
        image.save(file, "PNG", compress_level=1)
        self._keep(key, file.getvalue())
        return file.getvalue()

    def _keep(self, key: tuple[str, int], png: bytes) -> None:
        with self._lock:
            self._size += len(png) - len(self._kept.pop(key, b""))
            self._kept[key] = png
            while self._size > _KEPT:
                _, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest)

    def _content(self, path: str) -> Content:
        if Path(path).exists():
            return path
        if (bands := unbraced(path)) is not None:
            return bands
        container, mark, member = path.partition("#")
        if not mark or container_kind(container) is None:
            return path
        if container_kind(container) != "archive":
            raise ImageError("it is in a container; only members of zip and tar have a picture")
        # An archive has one position in its file.
        with self._archives:
            if container not in self._readers:
                self._readers[container] = _members(container)
            return self._readers[container](member)


def _members(container: str) -> Callable[[str], bytes]:
    """A reader of the members of an archive, by their names."""
    try:
        if zipfile.is_zipfile(container):
            archive = zipfile.ZipFile(container)
            return lambda name: _unzipped(archive, name)
        tar = tarfile.open(container, "r:")  # noqa: SIM115 - open as long as the program runs
        places = {one.name: one for one in tar if one.isreg()}
        return lambda name: _untarred(tar, places.get(name))
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ImageError(f"{container} cannot be read in any order: {error}") from error


def _unzipped(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise ImageError("missing: the archive has no such member") from error
    if info.file_size > MAX_BYTES:
        raise ImageError("too large")
    try:
        return archive.read(info)
    # zlib and lzma raise errors of their own for damaged data.
    except Exception as error:
        raise ImageError(f"damaged or truncated: {error}") from error


def _untarred(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> bytes:
    if member is None:
        raise ImageError("missing: the archive has no such member")
    if member.size > MAX_BYTES:
        raise ImageError("too large")
    content = archive.extractfile(member)
    assert content is not None  # noqa: S101 - a regular file has one
    return content.read()
