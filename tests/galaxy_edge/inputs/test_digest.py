from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxy_edge.inputs.digest import sha256


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_and_its_bytes_have_one_digest(tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(b"content")
    assert sha256(path) == sha256(str(path)) == sha256(b"content") == digest(b"content")


def test_an_extension_of_a_file_is_that_file(tmp_path: Path):
    path = tmp_path / "x.fits"
    path.write_bytes(b"content")
    assert sha256(f"{path}[SCI]") == digest(b"content")


def test_three_bands_are_their_bytes_in_order(tmp_path: Path):
    red, green = tmp_path / "r.fits", tmp_path / "g.fits"
    red.write_bytes(b"red")
    green.write_bytes(b"green")
    assert sha256((red, str(green), b"blue")) == digest(b"redgreenblue")
    assert sha256((green, red, b"blue")) != digest(b"redgreenblue")


def test_pixels_without_a_file():
    array = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert sha256(array) == sha256(array[::1]) == digest(array.tobytes())
    assert sha256(array[::-1]) == digest(array[::-1].copy().tobytes())
    assert sha256(Image.open(io.BytesIO(_png(array)))) == digest(array.tobytes())


@pytest.mark.parametrize("name", ["absent.png", ".", "empty.png"])
def test_what_cannot_be_read_has_none(tmp_path: Path, name: str):
    (tmp_path / "empty.png").touch()
    assert sha256(tmp_path / name) is None


def _png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()
