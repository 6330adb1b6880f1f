"""Open the files of an input: check them, recognise FITS, and compute the digest.

Image files are opened only here. A file is recognised by its first bytes, never by its name, so
that a path and the bytes of its file always get the same verdict.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.formats import FITS_STARTS, File, split_extension
from galaxy_edge.inputs.limits import MAX_PIXELS

#: Larger files are refused before they are read, unless they are FITS. Pillow reads at most eight
#: bytes per pixel (16-bit RGBA).
MAX_BYTES = 8 * MAX_PIXELS
#: Bytes per read. Most cutouts need only one; each further read would release the interpreter lock.
_BLOCK = 2**18
_START = max(map(len, FITS_STARTS))


class Opened:
    """The open files of one input.

    Args:
        files: paths or bytes; a path may name a FITS extension.
        banded: whether each file should hold one band.
        stamps: whether the files are the stamps of an alert.

    Attributes:
        streams: each file, at its first byte.
        extensions: the FITS extension that each path names, or None.
        fits: whether each file begins like FITS, or like gzip or bzip2, which may contain FITS.
        notes: sentences for the user about how the files were read; the readers add them.

    Raises:
        ImageError: a file is missing, empty, a folder, a pipe or a device, or too large.
        OSError: a file cannot be opened or read.
    """

    def __init__(
        self, files: Sequence[File], *, banded: bool = False, stamps: bool = False
    ) -> None:
        self.banded = banded
        self.stamps = stamps
        self.streams: list[BinaryIO] = []
        self.extensions: list[str | None] = []
        self.fits: list[bool] = []
        self.notes: list[str] = []
        self._stack = ExitStack()
        with self._stack:
            for file in files:
                self._add(file)
            self._stack = self._stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._stack.close()

    @property
    def names(self) -> tuple[str, ...]:
        """What the files are called in messages, if they are three."""
        if self.stamps:
            return ("science", "template", "difference")
        return ("red", "green", "blue")

    def sha256(self) -> str:
        """The SHA-256 of all bytes, one file after the other.

        Files other than FITS are read into memory, so that exactly the digested bytes are decoded.
        """
        total = hashlib.sha256()
        for place, stream in enumerate(self.streams):
            if self.fits[place]:
                hashlib.file_digest(stream, lambda: total)  # type: ignore[arg-type]
                stream.seek(0)
            else:
                content = stream.read()
                total.update(content)
                self.streams[place] = io.BytesIO(content)
        return total.hexdigest()

    def _add(self, file: File) -> None:
        extension = None
        if isinstance(file, bytes):
            if not file:
                raise ImageError("empty: it has no bytes")
            stream: BinaryIO = io.BytesIO(file)
            size = len(file)
            start = file[:_START]
        elif isinstance(file, (str, os.PathLike)):
            name, extension = split_extension(os.fspath(file))
            size = check_file(Path(name))
            raw = _File(name)
            stream = self._stack.enter_context(io.BufferedReader(raw, _BLOCK))
            start = stream.read(_START)
            stream.seek(0)
            raw.hidden = not start.startswith(FITS_STARTS)
        else:
            raise ImageError(
                "not an image: an input is a path, bytes, three FITS files, an array or a PIL "
                f"image, not {type(file).__name__}"
            )
        fits = start.startswith(FITS_STARTS)
        if not fits and size > MAX_BYTES:
            raise ImageError(
                f"too large: {size:,} bytes is over {MAX_BYTES:,}; cut or reduce it first"
            )
        if not fits and extension is not None:
            raise ImageError(f"not FITS, so it has no extension {extension}")
        self.streams.append(stream)
        self.extensions.append(extension)
        self.fits.append(fits)


class _File(io.FileIO):
    """A file whose number can be hidden, so that it is read and not mapped into memory.

    Pillow maps raw pixels into memory, and libtiff maps whole files. If another process shortens a
    mapped file, this process is killed. Astropy, which reads FITS, needs the number.
    """

    hidden = False

    def fileno(self) -> int:
        if self.hidden:
            raise io.UnsupportedOperation("fileno")
        return super().fileno()


def check_file(path: Path) -> int:
    """Refuse anything but a regular file with content, before a read could block.

    Returns:
        The file's size, bytes.

    Raises:
        ImageError: the file is a folder, a pipe, a device or empty.
        OSError: the file's status cannot be read.
    """
    try:
        status = path.stat()
    except ValueError as error:
        raise ImageError(f"missing: {error}") from error
    if stat.S_ISDIR(status.st_mode):
        with os.scandir(path):  # raises if it cannot be listed
            pass
        raise ImageError(
            "not an image: a folder, and no image was found or looked for in it (-r looks in its "
            "subfolders too)"
        )
    # Reading a pipe could block forever.
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not an image: not a regular file")
    # Pillow would report an unknown format, which is misleading.
    if status.st_size == 0:
        raise ImageError("empty: the file has no bytes")
    return status.st_size
