"""Stamps of a mosaic at the positions of a catalogue (the extra ``fits``).

A stamp gets the verdict of a FITS file with the same pixels. A stamp that reaches over the edge of
the mosaic is an error: what lies beyond is unknown, and black pixels would change the verdict.
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io.fits import CompImageHDU
from astropy.nddata import NoOverlapError, PartialOverlapError, overlap_slices

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs import cubes, fits, scaling
from galaxy_edge.inputs.bands import Bands, braced
from galaxy_edge.inputs.containers.layout import Layout, Only, rows_within
from galaxy_edge.inputs.containers.positions import Catalogue, coordinates
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.kept import identifier
from galaxy_edge.inputs.source import Source, Stamp

#: Rows of pixels are read whole up to so many bytes, which is faster than one by one.
_WHOLE_ROWS = 2**21
#: Bytes of a compressed mosaic, unpacked; it is held in memory.
_LARGEST = 2**32


class _Band:
    """An open image: a mosaic, or one of its bands.

    Attributes:
        wcs: its sky coordinates, or None.
        notes: sentences about how it is read; those in ``given`` have been said.
    """

    def __init__(self, stream: BinaryIO, extension: str | None, stack: ExitStack) -> None:
        self.notes: list[str] = []
        self.given: set[str] = set()
        self._hdu = stack.enter_context(fits.opened(_seekable(stream), extension, self.notes))
        if len(self._hdu.shape) < 2:
            raise ImageError("not an image: it has fewer than two axes")
        self._header = self._hdu.header.copy()
        self.wcs = coordinates(self._header)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self._hdu.shape[-2], self._hdu.shape[-1]

    def cut(self, x: float, y: float, size: int, bands: Bands | None) -> npt.NDArray[Any]:
        """The pixels around a position, as `astropy.nddata.Cutout2D` chooses them: [1 or 3, H, W].

        Raises:
            ImageError: the position is not on the image, or not far enough from its edge.
        """
        height, width = self.shape
        if not np.isfinite((x, y)).all():
            raise ImageError("its position is not a number, or not on the image")
        try:
            (rows, columns), _ = overlap_slices((height, width), (size, size), (y, x), "strict")
        except (NoOverlapError, PartialOverlapError) as error:
            raise ImageError(
                f"off the edge: a stamp of {size} x {size} pixels at x = {x:.7g}, y = {y:.7g} "
                f"is not completely on the image of {width} x {height} pixels"
            ) from error
        raw = cubes.planes(self._raw(rows, columns), self._header, bands, self.notes)
        return scaling.values(raw, self._header)

    def _raw(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        section = self._hdu.section
        whole = (rows.stop - rows.start) * self._hdu.shape[-1] * abs(self._header["BITPIX"]) // 8
        try:
            if whole > _WHOLE_ROWS or isinstance(self._hdu, CompImageHDU):
                return np.asarray(section[..., rows, columns])
            return np.asarray(section[..., rows, :][..., columns])
        except MemoryError:
            raise
        # Astropy raises nearly anything for a file that ends too soon and for damaged tiles.
        except Exception as error:
            raise ImageError(f"damaged or truncated: {' '.join(str(error).split())}") from error


def stamps(
    path: str | tuple[str, str, str],
    layout: Layout,
    bands: Bands | None = None,
    only: Only = None,
) -> Iterator[Source]:
    """The stamps of a mosaic, in the order of the catalogue.

    Args:
        path: the mosaic, perhaps with an extension; or its three bands, red, green and blue.
        layout: the catalogue and the size of a stamp.
        bands: names of the planes for red, green and blue, if the mosaic is a cube.
        only: the rows of the catalogue to cut.

    Raises:
        UsageError: the catalogue cannot be read.
        ImageError: the mosaic cannot be read.
    """
    catalogue = Catalogue(layout)
    assert layout.size is not None  # noqa: S101 - a layout with a catalogue has one
    files = (path,) if isinstance(path, str) else path
    name = path if isinstance(path, str) else braced(path)
    with ExitStack() as stack:
        content = stack.enter_context(Opened(files, banded=len(files) > 1))
        if not all(content.fits):
            raise ImageError("not FITS: a mosaic must be a FITS image")
        images = [
            _Band(stream, extension, stack)
            for stream, extension in zip(content.streams, content.extensions, strict=True)
        ]
        end = 0
        for block in catalogue.blocks():
            start, end = end, end + len(block)
            if not (wanted := rows_within(only, start, end)):
                continue
            # Of the whole block, since a fit of several positions may end with other digits.
            positions = [catalogue.places(block, image.wcs) for image in images]
            for place in wanted:
                number, row = place - start, block[place - start]
                key: str | None = None
                found: Stamp | ImageError
                try:
                    if catalogue.columns.id is not None:
                        key = identifier(row[catalogue.columns.id])
                    planes = [
                        image.cut(where[number, 0], where[number, 1], layout.size, bands)
                        for image, where in zip(images, positions, strict=True)
                    ]
                    found = Stamp(_joined(planes), flux=True, notes=_new(images))
                except ImageError as error:
                    found = error
                kept = {name: row[name] for name in layout.keep}
                yield Source(found, key, f"{name}#{place}", kept)


def _new(images: Sequence[_Band]) -> tuple[str, ...]:
    """The notes that nobody has been given yet."""
    found = [note for image in images for note in image.notes if note not in image.given]
    for image in images:
        image.given.update(image.notes)
        image.notes.clear()
    return tuple(dict.fromkeys(found))


def _joined(planes: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    if len(planes) == 1:
        return planes[0]
    if any(len(one) != 1 for one in planes):
        raise ImageError("a file is a cube; each of three files must have one band")
    return np.concatenate(planes)


def _seekable(stream: BinaryIO) -> BinaryIO:
    """A file at its first byte that can be read in any order: a compressed one is unpacked."""
    start = stream.read(3)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        packed: Any = gzip.GzipFile(fileobj=stream)
    elif start == b"BZh":
        packed = bz2.BZ2File(stream)
    else:
        return stream
    try:
        content = packed.read(_LARGEST + 1)
    except (EOFError, zlib.error, OSError) as error:
        raise ImageError("damaged or truncated: the compressed data cannot be unpacked") from error
    if len(content) > _LARGEST:
        raise ImageError(f"too large: it unpacks to more than {_LARGEST:,} bytes; unpack it first")
    return io.BytesIO(content)
