"""FITS -> uint8 RGB, with astropy (the extra ``fits``): read by its rules, stretched by Lupton's.

An image is a single band (grey), a cube of three planes, or three files of one band each. BSCALE,
BZERO and either byte order are astropy's business; BLANK, NaN and infinite pixels become sky. The
first row of a FITS image is its lowest: it is turned, so that the picture is what DS9 shows.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.formats import File, split_extension
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.stretch import colour

#: Larger images are refused before their pixels are read: 32 million pixels in three bands take
#: 400 MB as float32, and the stretch some times that.
MAX_PIXELS = 2**25

_IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)

#: What may be unpacked: a damaged tile of any other compression (HCOMPRESS_1, PLIO_1) can end the
#: process, inside astropy's C code, and with it the run.
_UNPACKED = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS"})
Planes = npt.NDArray[np.float32]


def rgb(source: File | tuple[File, ...], stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Read a FITS image, or three of one band each (red, green, blue), as RGB.

    Returns:
        uint8 (H, W, 3), the upper row first.

    Raises:
        ImageError: there is no image, or not one or three planes, it is too large, has no valid
            pixel, or the three differ in shape.
        OSError: the file cannot be read.
    """
    if not isinstance(source, tuple):
        return colour(planes(source, stretch.bands), stretch)
    bands = [planes(one) for one in source]
    for one, band in zip(source, bands, strict=True):
        if len(band) != 1:
            raise ImageError(f"{_named(one)} is a cube; of three files each must have one band")
        if band.shape != bands[0].shape:
            raise ImageError(
                f"the bands differ in shape: {_shape(bands[0])} and {_shape(band)}; bring them to "
                "one grid first"
            )
    return colour(np.concatenate(bands), stretch)


def planes(source: File, bands: tuple[str, str, str] | None = None) -> Planes:
    """Read the pixels of a FITS image.

    Args:
        source: path, perhaps with an extension by number, name, or name and version
            (``file.fits[1]``, ``file.fits[SCI]``, ``file.fits[SCI,2]``), or the bytes of a file.
            By default the first extension with an image is read.
        bands: the planes of a cube to take, by its BAND0, BAND1, ... keywords; a cube without
            them must have three planes, which are red, green, blue.

    Returns:
        float32 [1 or 3, H, W], in the file's units, its first row first; NaN where there is none.

    Raises:
        ImageError: as for `rgb`.
    """
    if isinstance(source, bytes):
        extension = None
        stream: BinaryIO = io.BytesIO(source)
    else:
        path, extension = split_extension(os.fspath(source))
        stream = Path(path).open("rb")  # noqa: SIM115 - entered two lines below
    # Astropy sees the compression of a path, not that of a stream; but a path that it fails to
    # read it leaves open.
    with stream, _unpacked(stream) as content, fits.open(content, memmap=False, uint=False) as hdus:
        hdu = _image(hdus) if extension is None else _extension(hdus, extension)
        _check_shape(hdu.shape)
        _check_compression(hdu)
        data = hdu.data
        header = hdu.header
    # Axes of one pixel (Stokes, a single frequency) say nothing here.
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
    return bz2.BZ2File(stream) if start == b"BZh" else stream


def _extension(hdus: fits.HDUList, extension: str) -> Any:
    name, _, version = (part.strip() for part in extension.partition(","))
    key = int(name) if name.isdecimal() else (name, int(version)) if version.isdecimal() else name
    try:
        hdu = hdus[key]
    except (KeyError, IndexError):
        has = ", ".join(f"{place} {hdu.name}".strip() for place, hdu in enumerate(hdus))
        raise ImageError(f"there is no extension {extension}; the file has {has}") from None
    if not isinstance(hdu, _IMAGES):
        raise ImageError(f"the extension {extension} is no image")
    return hdu


def _image(hdus: fits.HDUList) -> Any:
    for hdu in hdus:
        if isinstance(hdu, _IMAGES) and len(hdu.shape) > 1:
            return hdu
    raise ImageError("not an image: no extension of this FITS file holds one")


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
        raise ImageError(f"compressed by {kind}; unpack it first (funpack)")
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


def _named(source: File) -> str:
    return "one of them" if isinstance(source, bytes) else os.fspath(source)


def _shape(band: Planes) -> str:
    return f"{band.shape[1]} x {band.shape[2]}"
