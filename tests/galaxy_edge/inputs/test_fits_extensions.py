from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge import ImageError, Predictor
from galaxy_edge.inputs.formats import split_extension
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.paths import expand
from tests.galaxy_edge.inputs.fits_files import FIXED, file, frame, pixels, read_with_notes

SCIENCE = frame(1)
EXPECTED = pixels(file(fits.PrimaryHDU(SCIENCE)))
MASK = (frame(2) > 20).astype(np.uint8)


def test_one_image_needs_no_note():
    image, notes = read_with_notes(file(fits.PrimaryHDU(), fits.ImageHDU(SCIENCE, name="X")))
    np.testing.assert_array_equal(image, EXPECTED)
    assert notes == []


@pytest.mark.parametrize(
    "hdus",
    [
        [fits.PrimaryHDU(frame(2)), fits.ImageHDU(SCIENCE, name="SCI")],
        [fits.PrimaryHDU(), fits.ImageHDU(frame(2), name="WHT"), fits.ImageHDU(SCIENCE, name="x")],
        [fits.PrimaryHDU(MASK), fits.ImageHDU(SCIENCE)],
        [fits.PrimaryHDU(), fits.CompImageHDU(MASK), fits.ImageHDU(SCIENCE)],
        [fits.PrimaryHDU(frame(2, 7)), fits.ImageHDU(SCIENCE)],
        [fits.PrimaryHDU(SCIENCE), fits.ImageHDU(frame(2), name="ERR")],
        [fits.PrimaryHDU(frame(3)), fits.ImageHDU(MASK, name="dq"),
         fits.ImageHDU(SCIENCE, name="sci"), fits.ImageHDU(frame(2), name="SCI", ver=2)],
    ],
    ids=["sci", "weight", "mask", "compressed mask", "small", "first", "sci 1"],
)  # fmt: skip
def test_the_science_is_chosen_with_a_note(hdus: list[fits.PrimaryHDU]):
    image, notes = read_with_notes(file(*hdus))
    np.testing.assert_array_equal(image, EXPECTED)
    assert len(notes) == 1
    assert "is read. To read another" in notes[0]


def test_only_masks_give_the_first():
    hdus = fits.PrimaryHDU(), fits.ImageHDU(SCIENCE, name="ERR"), fits.ImageHDU(MASK, name="DQ")
    image, notes = read_with_notes(file(*hdus))
    np.testing.assert_array_equal(image, EXPECTED)
    assert notes == [
        "2 images (1 ERR, 2 DQ); 1 ERR is read. To read another, add its number in brackets: [2]"
    ]


def test_an_extension_without_pixels_hides_nothing():
    header = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", 0),
                          ("NAXIS2", 5), ("PCOUNT", 0), ("GCOUNT", 1)])  # fmt: skip
    empty = header.tostring().encode()
    image, notes = read_with_notes(
        file(fits.PrimaryHDU()) + empty + file(fits.PrimaryHDU(), fits.ImageHDU(SCIENCE))[2880:]
    )
    np.testing.assert_array_equal(image, EXPECTED)
    assert notes == []


def test_the_note_comes_with_the_prediction(model_file: Path, tmp_path: Path):
    path = tmp_path / "x.fits"
    path.write_bytes(file(fits.PrimaryHDU(frame(2)), fits.ImageHDU(SCIENCE, name="SCI")))
    predictor = Predictor(model_file)
    assert predictor.predict(path).notes == (
        "2 images (0, 1 SCI); 1 SCI is read. To read another, add its number in brackets: [0]",
    )
    assert predictor.predict(f"{path}[SCI]").notes == ()


@pytest.mark.parametrize(
    "syntax", ["[1][1:50,1:50]", "[-1]", "+1", "[1:50,1:50]", "[SCI][pix>3]", "[1;2]", "[bin x]"]
)
def test_other_syntax_of_cfitsio_is_refused_by_its_name(syntax: str, tmp_path: Path):
    path = tmp_path / "x.fits"
    path.write_bytes(file(fits.PrimaryHDU(SCIENCE)))
    source = f"{path}{syntax}"
    assert [*expand([source], None)] == [source]
    with pytest.raises(ImageError, match=rf"^{re.escape(syntax)} is not supported: only an exten"):
        read(source, FIXED)
    with pytest.raises(ImageError, match="missing"):
        read(f"{path}.absent.fits{syntax}")
    # A file of this name is that file.
    Path(source.replace("/x", "/y")).write_bytes(file(fits.PrimaryHDU(SCIENCE)))
    np.testing.assert_array_equal(pixels(source.replace("/x", "/y")), EXPECTED)


def test_paths_are_split_at_the_extension():
    assert split_extension("a[1]/b.fits[SCI,2]") == ("a[1]/b.fits", "SCI,2")
    assert split_extension("a[1].fits[1][1:5,1:5]") == ("a[1].fits", "1][1:5,1:5")
    assert split_extension("b.fits.gz+12") == ("b.fits.gz", "+12")
    for whole in ("a+1.fits", "b.png+1", "b.png[1]", "b.fits[]", "b.fits+", "c[1].fits"):
        assert split_extension(whole) == (whole, None)
