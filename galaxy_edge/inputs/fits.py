"""Read FITS images as uint8 RGB, with astropy (the extra ``fits``).

An image is a single band (grey), a cube of three planes, or three files of one band each. Astropy
handles BSCALE, BZERO and both byte orders; BLANK, NaN and infinite pixels become sky. The first
row of a FITS image is its lowest, so the image is flipped to look as in DS9.
"""

from __future__ import annotations

import bz2
import gzip
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.stretch import colour

#: Larger images are refused before their pixels are read. 32 million pixels in three bands take
#: 400 MB as float32, and stretching them takes several times as much.
MAX_PIXELS = 2**25

#: Names of the three files, for messages.
_PLACES = ("red", "green", "blue")

_IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)

#: Compressions that are unpacked. A damaged tile of any other (HCOMPRESS_1, PLIO_1) can end the
#: process inside astropy's C code.
_UNPACKED = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS"})
Planes = npt.NDArray[np.float32]


def rgb(content: Opened, stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Read a FITS image, or three of one band each (red, green, blue), as RGB.

    Returns:
        uint8 (H, W, 3), the upper row first.

    Raises:
        ImageError: there is no image, it does not have one or three planes, it is too large or has
            no valid pixel, or the three files differ in shape.
        OSError: the file cannot be read.
    """
    files = [*zip(content.streams, content.extensions, strict=True)]
    if len(files) == 1:
        return colour(planes(*files[0], stretch.bands), stretch)
    bands = [planes(*file) for file in files]
    for name, band in zip(_PLACES, bands, strict=True):
        if len(band) != 1:
            raise ImageError(f"the {name} file is a cube; each of three files must have one band")
        if band.shape != bands[0].shape:
            raise ImageError(
                f"the bands differ in shape: {_shape(bands[0])} and {_shape(band)}; resample them "
                "to the same grid first"
            )
    return colour(np.concatenate(bands), stretch)


def planes(
    stream: BinaryIO, extension: str | None = None, bands: tuple[str, str, str] | None = None
) -> Planes:
    """Read the pixels of a FITS image.

    Args:
        stream: the file, perhaps compressed, at its first byte.
        extension: number, name, or name and version (``1``, ``SCI``, ``SCI,2``) of the extension
            to read; None for the first one with an image.
        bands: the planes of a cube to take, by its BAND0, BAND1, ... keywords; a cube without
            them must have three planes, which are red, green, blue.

    Returns:
        float32 [1 or 3, H, W], in the file's units, its first row first; NaN for pixels without
        a value.

    Raises:
        ImageError: as for `rgb`.
    """
    # Astropy detects the compression of a path but not of a stream, and leaves a path open if it
    # cannot read it.
    with _unpacked(stream) as content, fits.open(content, memmap=False, uint=False) as hdus:
        hdu = _image(hdus) if extension is None else _extension(hdus, extension)
        _check_shape(hdu.shape)
        _check_compression(hdu)
        data = hdu.data
        header = hdu.header
    # Drop axes of one pixel (Stokes, a single frequency).
    data = data.reshape([length for length in data.shape[:-2] if length > 1] + [*data.shape[-2:]])
    if data.ndim == 2:
        data = data[None]
    elif bands is not None and ("BAND0" in header or "BAND1" in header):
        data = data[[_plane(header, band, len(data)) for band in bands]]
    if data.ndim != 3 or len(data) not in {1, 3}:
        raise ImageError(
            f"not an image of one or three bands: its shape is {' x '.join(map(str, hdu.shape))}; "
            "a cube of more bands needs BAND0, BAND1, ... in its header and --bands"
        )
    return np.asarray(data, dtype=np.float32)


def _unpacked(stream: BinaryIO) -> Any:
    start = stream.read(3)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)
    return bz2.BZ2File(stream) if start == b"BZh" else nullcontext(stream)


def _extension(hdus: fits.HDUList, extension: str) -> Any:
    name, _, version = (part.strip() for part in extension.partition(","))
    key = int(name) if name.isdecimal() else (name, int(version)) if version.isdecimal() else name
    try:
        hdu = hdus[key]
    except (KeyError, IndexError):
        has = ", ".join(f"{place} {hdu.name}".strip() for place, hdu in enumerate(hdus))
        raise ImageError(f"there is no extension {extension}; the file has {has}") from None
    if not isinstance(hdu, _IMAGES):
        raise ImageError(f"the extension {extension} is not an image")
    return hdu


def _image(hdus: fits.HDUList) -> Any:
    for hdu in hdus:
        if isinstance(hdu, _IMAGES) and len(hdu.shape) > 1:
            return hdu
    raise ImageError("not an image: no extension of this FITS file contains one")


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


def _plane(header: fits.Header, band: str, planes: int) -> int:
    first = 0 if "BAND0" in header else 1
    names = [str(header.get(f"BAND{first + number}", "")).strip() for number in range(planes)]
    if band not in names:
        raise ImageError(f"the cube has no band {band}; it has {', '.join(filter(None, names))}")
    return names.index(band)


def _shape(band: Planes) -> str:
    return f"{band.shape[1]} x {band.shape[2]}"
