"""Why Pillow cannot read a file: an unknown format, or one it knows and cannot read."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.formats import PILLOW

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
}
#: Markers of a JPEG frame: C0 to CF without the tables of Huffman (C4), extensions (C8) and
#: arithmetic codes (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def unidentified(file: BinaryIO) -> ImageError:
    """The error for a file that Pillow could not identify; reads it from its first byte."""
    file.seek(0)
    start = file.read(12)
    form = next((form for prefix, form in _STARTS.items() if start.startswith(prefix)), None)
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        form = "WEBP"
    if form is None:
        return ImageError(f"not an image: the format is none of {', '.join(PILLOW)}, FITS")
    if form == "JPEG" and (bits := _jpeg_bits(file)) not in (None, 8):
        return ImageError(f"not supported: a JPEG with {bits} bits per sample; save it with 8 bits")
    return ImageError(f"damaged or truncated: it begins like {form}, but {_fault(file, form)}")


def _fault(file: BinaryIO, form: str) -> str:
    """What Pillow says about a file of this format; `Image.open` keeps it to itself."""
    file.seek(0)
    try:
        Image.OPEN[form][0](file, "").close()
    except Exception as error:  # noqa: BLE001 - Pillow raises nearly anything for damaged data
        return f"Pillow cannot read it ({error})"
    return "Pillow cannot read it"


def _jpeg_bits(file: BinaryIO) -> int | None:
    """Bits per sample of a JPEG, or None if its frame cannot be found."""
    file.seek(2)
    while (marker := file.read(2)) and marker[0] == 0xFF and len(marker) == 2:
        if marker[1] == 0xFF:  # a fill byte
            file.seek(-1, 1)
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker[1] in _FRAMES:
            return next(iter(file.read(1)), None)
        file.seek(max(length - 2, 0), 1)
    return None
