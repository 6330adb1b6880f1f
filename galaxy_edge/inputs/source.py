"""An input: its content, its identifier and its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.bands import braced
from galaxy_edge.inputs.formats import File, has_fits_suffix


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """An image in an array that nobody changes any more, such as a row of a table.

    `galaxy_edge.inputs.stamp` says how it becomes RGB.

    Attributes:
        pixels: (H, W) grey; (H, W, 3) or (3, H, W) colour. uint8 is a picture, its upper row first;
            any other real dtype is stretched like the pixels of a FITS file.
        bands: names of the planes, if they are known; ``pixels`` is then [B, H, W].
        flux: the pixels come from a FITS file, and are stretched in any dtype.
        notes: sentences for the user about where they come from.
    """

    pixels: npt.NDArray[np.generic]
    bands: tuple[str, ...] = ()
    flux: bool = False
    notes: tuple[str, ...] = ()


class Stamps(tuple[bytes, ...]):
    """The stamps of an alert, FITS files: one, or science, template and difference.

    Three are channels that are not colours, so each must be stretched by itself.
    """

    __slots__ = ()


#: The content of an input: the path or bytes of a file; three FITS files of one band each (red,
#: green, blue); the stamps of an alert; a PIL image; an array, uint8 (H, W, 3) RGB or (H, W) grey;
#: a stamp. An error says why a container has no content in this place.
Content: TypeAlias = (
    File
    | tuple[File, File, File]
    | Stamps
    | Image.Image
    | npt.NDArray[np.generic]
    | Stamp
    | ImageError
)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An input.

    >>> Source("night/m51.fits").id
    'night/m51.fits'
    >>> Source("night/m51.fits", id="M 51").id
    'M 51'

    Attributes:
        content: the image. A FITS path may name an extension: ``file.fits[SCI]``.
        id: the user's identifier, as text; by default the path. A number, from a column of a
            catalogue for example, becomes its decimal.
        path: where the image is; by default the path or paths in ``content``, or None for content
            in memory. For a member of a container, such as a tar file, its place in it.
        kept: more columns of its row: name to text, number, truth value or None. Other values
            become one of these (`galaxy_edge.inputs.kept`).
    """

    content: Content
    id: str | None = None
    path: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = _path(self.content) if self.path is None else os.fspath(self.path)
        object.__setattr__(self, "path", _writable(path))
        object.__setattr__(self, "id", self.path if self.id is None else _writable(str(self.id)))
        if self.kept:
            from galaxy_edge.inputs.kept import plain  # noqa: PLC0415 - few inputs have any

            values = {key: plain(one) for key, one in self.kept.items()}
            kept = {k: _writable(one) if isinstance(one, str) else one for k, one in values.items()}
            object.__setattr__(self, "kept", kept)

    @classmethod
    def of(cls, given: Given) -> Source:
        """Return a source unchanged, or make one from content, perhaps with an identifier."""
        if _is_pair(given):
            return replace(cls.of(given[1]), id=None if given[0] is None else str(given[0]))
        return given if isinstance(given, cls) else cls(given)  # type: ignore[arg-type]

    @property
    def in_memory(self) -> bool:
        """Whether the content is an array or PIL image, which the caller may change later."""
        return isinstance(self.content, (np.ndarray, Image.Image))

    @property
    def files(self) -> tuple[File, ...]:
        """The files to read, in order; none if the content is an array or PIL image."""
        if isinstance(self.content, tuple):
            return self.content
        if self.in_memory or isinstance(self.content, (Stamp, ImageError)):
            return ()
        return (self.content,)  # type: ignore[return-value]


#: What a predictor takes: a source, its content, or a pair of an identifier and one of these.
Given: TypeAlias = Source | Content | tuple[str | int | None, Source | Content]


def _is_pair(given: object) -> TypeGuard[tuple[object, Source | Content]]:
    """Whether a tuple has an identifier and an image, and not two of three bands."""
    if (
        not isinstance(given, tuple)
        or len(given) != 2
        or isinstance(given[0], (bytes, os.PathLike))
    ):
        return False
    return not all(
        isinstance(one, (str, os.PathLike)) and has_fits_suffix(os.fspath(one)) for one in given
    )


def _writable(text: str | None) -> str | None:
    """Text that every output can hold: lone surrogates, which no encoding has, are escaped."""
    if text is None or text.isascii():
        return text
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _path(content: object) -> str | None:
    if isinstance(content, tuple):
        paths = [os.fspath(one) for one in content if isinstance(one, (str, os.PathLike))]
        return braced(paths) if paths and len(paths) == len(content) else None
    return os.fspath(content) if isinstance(content, (str, os.PathLike)) else None
