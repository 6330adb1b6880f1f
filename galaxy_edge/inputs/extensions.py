"""Choose the image of a FITS file: the one that the path names, or the one with the science."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from galaxy_edge.errors import ImageError

#: A smaller image is taken only if there is no larger one.
SMALLEST = 8
#: Names that mark the science among several images, in capitals.
_SCIENCE = frozenset({"SCI", "SCIENCE"})
#: Names of images that accompany the science, in capitals.
_AUXILIARY = frozenset({
    "BKG", "BACKGROUND", "BPM", "CON", "COVERAGE", "CTX", "DQ", "ERR", "ERROR", "EXP", "EXPOSURE",
    "EXPTIME", "FLAG", "FLAGS", "INVVAR", "IVAR", "MASK", "MSK", "NOISE", "PSF", "RMS", "SEG",
    "SEGMAP", "SIGMA", "STD", "VAR", "VARIANCE", "WEIGHT", "WGT", "WHT", "WT",
})  # fmt: skip
#: Names that a note lists at most.
_LISTED = 6
#: CFITSIO's notation for sections, filters and relative positions.
_NOT_AN_EXTENSION = re.compile(r"\]\s*\[|[:;]|^[-+]|^\s*(?:bin|col|pix\w*|#row)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extension:
    """One image of a FITS file.

    Attributes:
        place: its number in the file; the primary image is 0.
        name: its EXTNAME, perhaps empty.
        shape: of its data, the last axis first in the file.
        is_mask: reads the pixels, and tells whether they are only zeros and ones.
    """

    place: int
    name: str
    shape: tuple[int, ...]
    is_mask: Callable[[], bool]

    def __str__(self) -> str:
        return f"{self.place} {self.name}".strip()


def choose(images: Sequence[Extension], notes: list[str]) -> Extension:
    """Choose the image to read if the path names none.

    Images without pixels do not count. The first of at least 8 x 8 pixels named SCI or SCIENCE is
    taken, otherwise the first of this size that is not a mask, a weight or an error by its name
    or its pixels (only zeros and ones), otherwise the first. If there are several, a note says
    which one was taken.

    Raises:
        ImageError: there is no image.
    """
    images = [image for image in images if len(image.shape) > 1 and 0 not in image.shape]
    if not images:
        raise ImageError("not an image: no extension of this FITS file contains one")
    if len(images) == 1:
        return images[0]
    large = [image for image in images if min(image.shape[-2:]) >= SMALLEST]
    science = next((image for image in large if image.name.upper() in _SCIENCE), None)
    chosen = science or next(filter(_is_science, large), None) or (large or images)[0]
    names = ", ".join(map(str, images[:_LISTED])) + (", ..." if len(images) > _LISTED else "")
    other = next(image.place for image in images if image is not chosen)
    notes.append(
        f"{len(images)} images ({names}); {chosen} is read. To read another, add its number in "
        f"brackets: [{other}]"
    )
    return chosen


def key(extension: str) -> int | str | tuple[str, int]:
    """Convert the text in the brackets of a path to what astropy looks up.

    Raises:
        ImageError: it is CFITSIO's notation for anything but an extension.
    """
    if _NOT_AN_EXTENSION.search(extension):
        shown = extension if extension.startswith("+") else f"[{extension}]"
        raise ImageError(
            f"{shown} is not supported: only an extension can be named, by its number, name, or "
            "name and version, such as [1], [SCI] or [SCI,2]; cut sections of an image first"
        )
    name, _, version = (part.strip() for part in extension.partition(","))
    if name.isdecimal():
        return int(name)
    return (name, int(version)) if version.isdecimal() else name


def _is_science(image: Extension) -> bool:
    return image.name.upper() not in _AUXILIARY and not image.is_mask()
