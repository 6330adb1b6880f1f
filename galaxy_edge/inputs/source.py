"""An input: its content, its identifier and its path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.inputs.bands import braced
from galaxy_edge.inputs.formats import File

#: The content of an input: the path or bytes of a file; three FITS files of one band each (red,
#: green, blue); a PIL image; an array, uint8 (H, W, 3) RGB or (H, W) grey.
Content: TypeAlias = File | tuple[File, File, File] | Image.Image | npt.NDArray[np.generic]


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
    """

    content: Content
    id: str | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        path = _path(self.content) if self.path is None else os.fspath(self.path)
        object.__setattr__(self, "path", _writable(path))
        object.__setattr__(self, "id", self.path if self.id is None else _writable(str(self.id)))

    @classmethod
    def of(cls, given: Source | Content) -> Source:
        """Return a source unchanged, or make one from content."""
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
        return () if self.in_memory else (self.content,)  # type: ignore[return-value]


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
