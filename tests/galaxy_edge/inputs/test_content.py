from __future__ import annotations

import gzip
import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galaxy_edge import ImageError, Predictor
from galaxy_edge.inputs.images import decode, decoded
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.inputs.source import Content
from tests.conftest import encoded, galaxy
from tests.systems import linux

STEPS = Preprocessing(size=24)


def sha256(source: Content) -> str | None:
    return decoded(source, STEPS, digest=True).sha256


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fits_bytes(seed: int = 1) -> bytes:
    file = io.BytesIO()
    fits.PrimaryHDU(galaxy(seed)[..., 0].astype(np.float32)).writeto(file)
    return file.getvalue()


def test_a_file_and_its_bytes_have_the_same_digest(tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(b"content")
    assert sha256(path) == sha256(str(path)) == sha256(b"content") == digest(b"content")


def test_an_extension_of_a_file_has_the_digest_of_the_file(tmp_path: Path):
    path = tmp_path / "x.fits"
    path.write_bytes(fits_bytes())
    assert sha256(f"{path}[0]") == digest(fits_bytes())


def test_three_bands_are_digested_in_order(tmp_path: Path):
    bands = [fits_bytes(seed) for seed in (1, 2, 3)]
    paths = [tmp_path / f"{name}.fits" for name in "irg"]
    for path, content in zip(paths, bands, strict=True):
        path.write_bytes(content)
    assert sha256((paths[0], str(paths[1]), bands[2])) == digest(b"".join(bands))
    assert sha256((paths[1], paths[0], bands[2])) != digest(b"".join(bands))


def test_pixels_without_a_file_are_digested_in_c_order():
    array = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert sha256(array) == sha256(array[::1]) == digest(array.tobytes())
    assert sha256(array[::-1]) == digest(array[::-1].copy().tobytes())
    assert sha256(Image.open(io.BytesIO(encoded(array)))) == digest(array.tobytes())


@pytest.mark.parametrize("name", ["absent.png", ".", "empty.png"])
def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path, name: str):
    (tmp_path / "empty.png").touch()
    assert sha256(tmp_path / name) is None


def test_a_digest_is_only_computed_if_requested():
    assert decoded(encoded(galaxy(1)), STEPS).sha256 is None


NAMES = ("x.png", "x.fits", "x.fits.gz", "x.jpg", "x", "x.txt")
CONTENTS = {
    "PNG": encoded(galaxy(1)),
    "FITS": fits_bytes(),
    "gzipped FITS": gzip.compress(fits_bytes()),
    "HTML": b"<html>no image</html>",
    "gzipped text": gzip.compress(b"no image"),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_does_not_change_its_verdict(
    model_file: Path, tmp_path: Path, name: str, content: bytes
):
    """A path and its bytes get the same verdict, with and without a digest."""
    path = tmp_path / name
    path.write_bytes(content)
    rows = [
        predictor.predict_many([source])
        for predictor in (Predictor(model_file), Predictor(model_file, digest=True))
        for source in (content, path, str(path))
    ]
    verdicts = {(row.status, row.error, row.label, row.score) for (row,) in rows}
    assert len(verdicts) == 1
    (verdict,) = verdicts
    assert (verdict[0] == "ok") == (
        b"no image" not in content and content != CONTENTS["gzipped text"]
    )


def test_an_extension_of_a_file_that_is_not_fits_is_an_error(tmp_path: Path):
    path = tmp_path / "x.fits"
    path.write_bytes(encoded(galaxy(1)))
    with pytest.raises(ImageError, match="not FITS, so it has no extension SCI"):
        decode(f"{path}[SCI]", STEPS)


def test_each_of_three_bands_must_be_fits():
    with pytest.raises(ImageError, match="the green one is not"):
        decode((fits_bytes(), encoded(galaxy(1)), fits_bytes()), STEPS)


def test_the_decoded_bytes_are_the_digested_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another process may replace the content of the file after it is digested."""
    path = tmp_path / "x.png"
    path.write_bytes(encoded(galaxy(1)))
    first = decoded(path, STEPS)
    opened = Image.open

    def replaced(*arguments: object, **options: object) -> Image.Image:
        path.write_bytes(encoded(galaxy(2)))
        return opened(*arguments, **options)

    monkeypatch.setattr(Image, "open", replaced)
    again = decoded(path, STEPS, digest=True)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert again.sha256 == digest(encoded(galaxy(1)))


@linux
def test_files_are_closed(tmp_path: Path):
    path, broken = tmp_path / "x.fits", tmp_path / "y.png"
    path.write_bytes(fits_bytes())
    broken.write_bytes(b"no image")
    before = len(os.listdir("/proc/self/fd"))
    for source in (path, broken, (path, path, path), (path, path, tmp_path / "absent")):
        decoded(source, STEPS, digest=True)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_tuple_must_have_three_bands(count: int):
    with pytest.raises(ImageError, match=f"three bands are needed, not {count}"):
        decode((fits_bytes(),) * count, STEPS)
