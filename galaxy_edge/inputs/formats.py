"""What a file is taken for, by its name or its first bytes: an image, or FITS and which extension.

Apart from the readers, so that listing a folder imports none of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias

File: TypeAlias = str | os.PathLike[str] | bytes

#: The formats Pillow may try. FITS is not among them: Pillow ignores its scaling keywords.
PILLOW = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
#: File name suffixes that make a file in a folder an image.
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp"})
#: FITS may be compressed, which adds a second suffix.
FITS_SUFFIXES = frozenset({".fits", ".fit", ".fts"})
_COMPRESSED = frozenset({".gz", ".bz2", ".fz"})
#: A FITS file's keyword comes first; gzip and bzip2 begin so, and nothing else we read does.
_FITS_STARTS = (b"SIMPLE  =", b"\x1f\x8b", b"BZh")
_EXTENSION = re.compile(r"(?P<file>.+)\[(?P<extension>[^\[\]]+)\]", re.DOTALL)


def has_image_suffix(name: str) -> bool:
    """Whether a file of this name in a folder is an image."""
    return Path(name).suffix.lower() in SUFFIXES or _is_fits_name(name)


def is_fits(source: File) -> bool:
    """Whether a path is named, or bytes begin, as FITS (perhaps compressed)."""
    if isinstance(source, bytes):
        return source.startswith(_FITS_STARTS)
    return _is_fits_name(split_extension(os.fspath(source))[0])


def split_extension(path: str) -> tuple[str, str | None]:
    """Take ``file.fits[SCI]``, CFITSIO's way to name an extension, apart.

    Returns:
        The file, and what stood in brackets, or None. A file that has brackets in its own name,
        and is there, is meant as it is.
    """
    match = _EXTENSION.fullmatch(path)
    if match is None or not _is_fits_name(match["file"]) or os.path.lexists(path):
        return path, None
    return match["file"], match["extension"]


def _is_fits_name(name: str) -> bool:
    path = Path(name)
    if path.suffix.lower() in _COMPRESSED:
        path = path.with_suffix("")
    return path.suffix.lower() in FITS_SUFFIXES
