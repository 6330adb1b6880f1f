"""Read FITS images as uint8 RGB, with astropy (the extra ``fits``).

An image is a single band (grey), a cube of three planes, or three files of one band each. Astropy
unpacks it; `scaling` applies BSCALE, BZERO and BLANK; BLANK, NaN and infinite pixels become sky.
The first row of a FITS image is its lowest, so the image is flipped to look as in DS9.
"""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from galaxy_edge.errors import GalaxyEdgeError, ImageError
from galaxy_edge.inputs import cubes, extensions, fits_header, scaling
from galaxy_edge.inputs.channels import squared
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.extensions import Extension
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.stretch import colour

#: Larger images are refused before their pixels are read. 32 million pixels in three bands take
#: 400 MB as float32, and stretching them takes several times as much.
MAX_PIXELS = 2**25

_IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)

#: Compressions that are unpacked. A damaged tile of any other (HCOMPRESS_1, PLIO_1) can end the
#: process inside astropy's C code.
_UNPACKED = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS"})
#: Bytes in which a fault of the header is looked for.
_START = 20 * fits_header.BLOCK
Planes = npt.NDArray[Any]


def rgb(content: Opened, stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Read a FITS image, or three of one band each (red, green, blue), as RGB.

    Returns:
        uint8 (H, W, 3), the upper row first. Sentences for the user are added to
        ``content.notes``.

    Raises:
        ImageError: there is no image, its planes are not one band or three colours, it is too
            large or has no valid pixel, the header is wrong, or the three files differ in shape.
        OSError: the file cannot be read.
    """
    files = [*zip(content.streams, content.extensions, strict=True)]
    if len(files) == 1:
        # Beside a stamp, Rubin has its uncertainty; a note for every alert would not help.
        notes = [] if content.stamps else content.notes
        image = planes(*files[0], stretch.bands, notes)
        return colour(squared(image) if content.stamps else image, stretch)
    if content.stamps and stretch.kind == "lupton":
        raise ImageError(
            "a triplet has channels that are not colours, and the stretch of this model mixes "
            "them; use a model that was trained with --stretch-kind asinh or linear, or give this "
            "option"
        )
    bands = []
    for name, file in zip(content.names, files, strict=True):
        notes = []
        bands.append(planes(*file, notes=notes))
        if not content.stamps:
            content.notes += [f"the {name} file: {note}" for note in notes]
    for name, band in zip(content.names, bands, strict=True):
        if len(band) != 1:
            raise ImageError(f"the {name} file is a cube; each of three files must have one band")
        if band.shape != bands[0].shape:
            raise ImageError(
                f"the bands differ in shape: {_shape(bands[0])} and {_shape(band)}; resample them "
                "to the same grid first"
            )
    image = np.concatenate(bands)
    return colour(squared(image) if content.stamps else image, stretch)


def planes(
    stream: BinaryIO,
    extension: str | None = None,
    bands: tuple[str, str, str] | None = None,
    notes: list[str] | None = None,
) -> Planes:
    """Read the pixels of a FITS image.

    Args:
        stream: the file, perhaps compressed, at its first byte.
        extension: number, name, or name and version (``1``, ``SCI``, ``SCI,2``) of the extension
            to read; None to choose it (`extensions.choose`).
        bands: the planes of a cube to take, by its BAND0, BAND1, ... keywords; None to choose
            them (`cubes.planes`).
        notes: sentences about these choices are added to it.

    Returns:
        [1 or 3, H, W] of any real dtype and byte order, in the file's units, its first row first;
        NaN for pixels without a value.

    Raises:
        ImageError: as for `rgb`.
    """
    notes = [] if notes is None else notes
    with _unpacked(stream) as content, opened(content, extension, notes) as hdu:
        _check_shape(hdu.shape)
        header = hdu.header.copy()
        return scaling.values(cubes.planes(hdu.data, header, bands, notes), header)


@contextmanager
def opened(content: BinaryIO, extension: str | None, notes: list[str]) -> Iterator[Any]:
    """Open a FITS file and choose an image of it; its pixels are read when they are asked for.

    Args:
        content: the file, not compressed, at its first byte.
        extension: as for `planes`.
        notes: a sentence about the choice is added to it.

    Yields:
        Astropy's HDU, whose pixels are not scaled.

    Raises:
        ImageError: the file is not FITS, has no such image, or is damaged, now or when it is read.
    """
    # Astropy detects the compression of a path but not of a stream, and leaves a path open if it
    # cannot read it.
    with (
        _faults(content),
        fits.open(content, memmap=False, do_not_scale_image_data=True, ignore_blank=True) as hdus,
    ):
        hdu = _image(hdus, notes) if extension is None else _extension(hdus, extension)
        _check_compression(hdu)
        yield hdu


@contextmanager
def _faults(content: BinaryIO) -> Iterator[None]:
    """Replace astropy's and NumPy's errors by the reason."""
    try:
        start = content.read(_START)
        content.seek(0)
        if not start.startswith(b"SIMPLE  ="):
            raise ImageError(
                "not FITS: the compressed file contains something else; if it is an image or an "
                "archive, unpack it first"
            )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImageError("damaged or truncated: the compressed data cannot be unpacked") from error
    try:
        yield
    except (GalaxyEdgeError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = fits_header.fault(start) or (
            "damaged or truncated: the file ends before its last pixel, or a header is wrong; "
            "fitsverify says where"
        )
        raise ImageError(reason) from error


def _unpacked(stream: BinaryIO) -> Any:
    start = stream.read(3)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)
    return bz2.BZ2File(stream) if start == b"BZh" else nullcontext(stream)


def _is_image(hdu: Any) -> bool:
    # Random groups look like a primary image.
    return isinstance(hdu, _IMAGES) and not isinstance(hdu, fits.GroupsHDU)


def _image(hdus: fits.HDUList, notes: list[str]) -> Any:
    images = [
        Extension(place, str(hdu.header.get("EXTNAME", "")), hdu.shape, partial(_is_mask, hdu))
        for place, hdu in enumerate(hdus)
        if _is_image(hdu)
    ]
    return hdus[extensions.choose(images, notes).place]


def _is_mask(hdu: Any) -> bool:
    _check_compression(hdu)
    # Reading a large mosaic to find out would take too much memory.
    if hdu.header["BITPIX"] < 0 or math.prod(hdu.shape) > 3 * MAX_PIXELS:
        return False
    return bool(np.isin(hdu.data, (0, 1)).all())


def _extension(hdus: fits.HDUList, extension: str) -> Any:
    try:
        hdu = hdus[extensions.key(extension)]
    except (KeyError, IndexError):
        has = ", ".join(f"{place} {hdu.name}".strip() for place, hdu in enumerate(hdus))
        raise ImageError(f"there is no extension {extension}; the file has {has}") from None
    if not _is_image(hdu):
        raise ImageError(f"the extension {extension} is not an image")
    return hdu


def _check_shape(shape: tuple[int, ...]) -> None:
    size = " x ".join(map(str, shape))
    if len(shape) < 2 or 0 in shape:
        raise ImageError(f"not an image: the shape of its data is {size or 'none'}")
    if shape[-1] * shape[-2] > MAX_PIXELS or int(np.prod(shape, dtype=object)) > 3 * MAX_PIXELS:
        raise ImageError(
            f"too large: {size} is over {MAX_PIXELS:,} pixels in three bands; cut it first"
        )


def _check_compression(hdu: Any) -> None:
    if not isinstance(hdu, fits.CompImageHDU):
        return
    header = hdu._header if not hasattr(hdu, "_bintable") else hdu._bintable.header  # noqa: SLF001
    kind = str(header.get("ZCMPTYPE", hdu.compression_type)).strip()
    if kind not in _UNPACKED:
        raise ImageError(
            f"compressed with {kind}, which is not supported; unpack it first with funpack"
        )
    for number in range(1, 10):
        name, value = header.get(f"ZNAME{number}"), header.get(f"ZVAL{number}")
        allowed = {"BYTEPIX": {1, 2, 4, 8}, "BLOCKSIZE": {16, 32}}.get(str(name).strip())
        if allowed is not None and value not in allowed:
            raise ImageError(f"damaged or truncated: {name} of the compression is {value}")


def _shape(band: Planes) -> str:
    return f"{band.shape[1]} x {band.shape[2]}"
