"""Suffixes and first bytes of the supported formats, and names of FITS extensions.

This module is separate from the readers, so that listing a folder does not import them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, TypeAlias

File: TypeAlias = str | os.PathLike[str] | bytes

#: Formats that Pillow reads. FITS is not one of them, because Pillow ignores its scaling keywords.
PILLOW = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
#: File name suffixes that make a file in a folder an image.
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp"})
#: FITS may be compressed, which adds a second suffix.
FITS_SUFFIXES = frozenset({".fits", ".fit", ".fts"})
_COMPRESSED = frozenset({".gz", ".bz2", ".fz"})
#: First bytes of TIFF. Pillow also reads the last two, whose number has the wrong byte order.
TIFF_STARTS = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*"})
#: First bytes of FITS, and of gzip and bzip2, which may contain FITS; unique among the formats.
FITS_STARTS = (b"SIMPLE  =", b"\x1f\x8b", b"BZh")
#: An extension, and what CFITSIO also allows here: several brackets, or a number after a plus sign.
_EXTENSION = re.compile(r"(?P<file>.+?)(?P<extension>(?:\[[^\[\]]+\])+|\+\d+)", re.DOTALL)
#: A container by its name. Names are all that tells a container from an image before it is opened.
_CONTAINER = re.compile(
    r".*?\.(?:(?P<parquet>parquet|pq)|(?P<zarr>zarr[/\\]*|zarr\.zip)|(?P<hdf5>h5|hdf5|hdf|he5)"
    r"|(?P<alerts>avro)|(?P<archive>tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|zip))",
    re.IGNORECASE | re.DOTALL,
)
#: Where the name of an array follows that of its file.
_DATASET = re.compile(r"\.(?:h5|hdf5|hdf|he5|zarr(?:\.zip)?)(?P<colon>:)", re.IGNORECASE)

Container: TypeAlias = Literal["parquet", "zarr", "hdf5", "archive", "alerts"]


def container_kind(path: str) -> Container | None:
    """The kind of container that a path names, perhaps with an array in it; None for others."""
    match = _CONTAINER.fullmatch(split_dataset(path)[0])
    return match.lastgroup if match else None  # type: ignore[return-value]


def split_dataset(path: str) -> tuple[str, str | None]:
    """Split ``cube.h5:images``, which names an array of an HDF5 file or a Zarr store.

    Returns:
        The file, and the name of the array or None. A path that exists is that file, and of
        several places to split, the first one after an existing file is taken: file names, and
        the drives of Windows, have colons too.
    """
    places = [match.start("colon") for match in _DATASET.finditer(path)]
    if not places or os.path.lexists(path):
        return path, None
    place = next((one for one in places if os.path.lexists(path[:one])), places[0])
    return path[:place], path[place + 1 :]


def has_image_suffix(name: str) -> bool:
    """Whether a file of this name in a folder counts as an image."""
    return Path(name).suffix.lower() in SUFFIXES or _is_fits_name(name)


def has_input_suffix(name: str) -> bool:
    """Whether a file of this name in a folder or an archive is an image, or has alerts."""
    return has_image_suffix(name) or container_kind(name) == "alerts"


def has_fits_suffix(path: str) -> bool:
    """Whether a path, perhaps with an extension in brackets, has the suffix of FITS.

    Names are used only to list and group files. `inputs.content` recognises a file by its first
    bytes.
    """
    return _is_fits_name(split_extension(path)[0])


def split_extension(path: str) -> tuple[str, str | None]:
    """Split ``file.fits[SCI]``, the notation of CFITSIO for an extension.

    Returns:
        The file, and the text in brackets or None. A path with brackets that exists as a file is
        that file. The text may be other notation of CFITSIO (``1][1:50,1:50``, ``+1``), which the
        reader of FITS refuses.
    """
    match = _EXTENSION.fullmatch(path)
    if match is None or not _is_fits_name(match["file"]) or os.path.lexists(path):
        return path, None
    return match["file"], match["extension"].removeprefix("[").removesuffix("]")


def _is_fits_name(name: str) -> bool:
    path = Path(name)
    if path.suffix.lower() in _COMPRESSED:
        path = path.with_suffix("")
    return path.suffix.lower() in FITS_SUFFIXES
