"""FITS files for the tests of their reader."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits

from galaxy_edge.inputs import fits as reader
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.preprocessing import Stretch
from tests.conftest import galaxy

FIXED = Stretch(minimum=0.0, stretch=20.0, q=8.0)


def frame(seed: int = 1, size: int = 20, *, real: bool = True) -> np.ndarray:
    """A band with a galaxy in it, float32; the first row is the lowest."""
    return galaxy(seed, size, real=real)[..., 0].astype(np.float32)


def file(*hdus: fits.PrimaryHDU | fits.ImageHDU) -> bytes:
    content = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(content)
    return content.getvalue()


def pixels(source: object, stretch: Stretch = FIXED) -> np.ndarray:
    return np.asarray(read(source, stretch))


def planes(content: bytes, bands: tuple[str, str, str] | None = None) -> np.ndarray:
    return reader.planes(io.BytesIO(content), bands=bands)


def read_with_notes(content: bytes) -> tuple[np.ndarray, list[str]]:
    """The picture and the notes; any warning is an error."""
    with Opened([content]) as opened:
        return reader.rgb(opened, FIXED), opened.notes


def with_cards(content: bytes, **cards: str) -> bytes:
    """Add cards to the first header as they are, right or wrong."""
    end = content.index(b"END" + b" " * 77)
    added = b"".join(f"{name:8s}= {value}".ljust(80).encode() for name, value in cards.items())
    assert end + len(added) + 80 <= 2880
    return content[:end] + added + b"END".ljust(80) + content[end + len(added) + 80 :]
