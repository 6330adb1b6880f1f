from __future__ import annotations

import bz2
import gzip
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.visualization import make_lupton_rgb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from galaxy_edge import ImageError, Predictor
from galaxy_edge.inputs.fits import MAX_PIXELS
from galaxy_edge.inputs.images import decode, read
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.inputs.stretch import colour
from tests.conftest import galaxy
from tests.galaxy_edge.inputs.fits_files import FIXED, file, frame, pixels, planes


def test_three_bands_are_stretched_as_astropy_does():
    red, green, blue = (frame(seed) for seed in (1, 2, 3))
    bands = tuple(file(fits.PrimaryHDU(band)) for band in (red, green, blue))
    expected = make_lupton_rgb(red, green, blue, minimum=0.0, stretch=20.0, Q=8.0)
    # The first row of an RGB image is the highest; that of FITS is the lowest.
    np.testing.assert_array_equal(pixels(bands), expected[::-1])
    cube = file(fits.PrimaryHDU(np.stack([red, green, blue])))
    np.testing.assert_array_equal(pixels(cube), expected[::-1])


def test_a_single_band_is_grey():
    image = pixels(file(fits.PrimaryHDU(frame())))
    assert image.shape == (20, 20, 3)
    assert (image == image[..., :1]).all()
    assert image.max() > 100
    stokes = file(fits.PrimaryHDU(frame()[None, None]))
    np.testing.assert_array_equal(pixels(stokes), image)


@pytest.mark.parametrize("stretch", [FIXED, Stretch()], ids=["fixed", "auto"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", ">i4", "u1", "<u2"])
def test_the_pixel_type_and_byte_order_do_not_change_the_image(kind: str, stretch: Stretch):
    band = np.round(frame())
    expected = pixels(file(fits.PrimaryHDU(band.astype(">f4"))), stretch)
    image = pixels(file(fits.PrimaryHDU(band.astype(kind))), stretch)
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(colour(band.astype(kind)[None], stretch), expected)


def test_bscale_bzero_and_blank_are_applied():
    band = np.round(frame())
    stored = fits.PrimaryHDU((band * 2 - 300).astype(np.int16))
    stored.header.update(BSCALE=0.5, BZERO=150.0, BLANK=-32768)
    whole = file(stored)
    np.testing.assert_array_equal(planes(whole)[0], band)
    start = whole.index(b"END" + b" " * 77) // 2880 * 2880 + 2880
    blank = bytearray(whole)
    blank[start : start + 2] = (-32768).to_bytes(2, "big", signed=True)
    found = planes(bytes(blank))[0]
    assert np.isnan(found[0, 0])
    np.testing.assert_array_equal(found.ravel()[1:], band.ravel()[1:])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_without_a_value_become_sky(bad: float):
    band = frame()
    hole = band.copy()
    hole[8:12, 8:12] = bad
    image, whole = (pixels(file(fits.PrimaryHDU(one))) for one in (hole, band))
    assert (image[8:12, 8:12] == 0).all()
    outside = np.ones((20, 20), bool)
    outside[8:12, 8:12] = False
    np.testing.assert_array_equal(image[outside], whole[outside])
    masked = np.ma.array(band, mask=~outside)
    np.testing.assert_array_equal(colour(masked[None], FIXED)[::-1], image[::-1])


def test_the_automatic_stretch_does_not_depend_on_units():
    band = frame(size=60)
    image = pixels(file(fits.PrimaryHDU(band)), Stretch())
    # Another gain and sky level, as in electrons instead of nanomaggies.
    other = pixels(file(fits.PrimaryHDU(band * 1000 + 5000)), Stretch())
    assert np.abs(image.astype(int) - other).max() <= 1
    assert image.max() > 60
    assert np.median(image) < 30


@pytest.mark.parametrize("value", [0.0, -3.0, 1e30])
def test_a_constant_image_is_black(value: float):
    assert pixels(file(fits.PrimaryHDU(np.full((5, 5), value, np.float32))), Stretch()).max() == 0


def test_the_named_extension_or_the_first_image_is_read(tmp_path: Path):
    science, weight = fits.ImageHDU(frame(1), name="SCI"), fits.ImageHDU(frame(2), name="WHT")
    second = fits.ImageHDU(frame(3), name="SCI", ver=2)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])], name="CAT")
    path = tmp_path / "x.fits"
    path.write_bytes(file(fits.PrimaryHDU(), table, science, weight, second))
    one, two, three = (pixels(file(fits.PrimaryHDU(frame(seed)))) for seed in (1, 2, 3))
    for suffix, expected in {
        "": one, "[SCI]": one, "[sci]": one, "[2]": one, "[WHT]": two, "[3]": two,
        "[SCI,2]": three, "[SCI, 2]": three,
    }.items():  # fmt: skip
        np.testing.assert_array_equal(pixels(f"{path}{suffix}"), expected)
    for suffix, words in {
        "[ERR]": "no extension ERR; the file has 0 PRIMARY, 1 CAT, 2 SCI",
        "[9]": "no extension 9",
        "[CAT]": "CAT is not an image",
        "[0]": "not an image",
    }.items():
        with pytest.raises(ImageError, match=words):
            read(f"{path}{suffix}")
    with pytest.raises(ImageError, match="missing"):
        read(tmp_path / "absent.fits[SCI]")
    bracketed = tmp_path / "x.fits[WHT]"
    bracketed.write_bytes(file(fits.PrimaryHDU(frame(3))))
    # A file of this name exists, so the brackets do not name an extension.
    np.testing.assert_array_equal(pixels(bracketed), three)


@pytest.mark.parametrize("suffix", ["fits", "FIT", "fts", "fits.gz", "fits.bz2", "fits.fz"])
def test_compressed_files_are_read(tmp_path: Path, suffix: str):
    band = frame(size=40)
    content = file(fits.PrimaryHDU(band))
    packed = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "fz": lambda _: file(
            fits.PrimaryHDU(),
            fits.CompImageHDU(band.astype(np.int16), compression_type="RICE_1"),
        ),
    }.get(suffix.rpartition(".")[2], bytes)(content)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(packed)
    expected = pixels(file(fits.PrimaryHDU(np.trunc(band) if "fz" in suffix else band)))
    np.testing.assert_array_equal(pixels(path), expected)
    np.testing.assert_array_equal(pixels(packed), expected)


def test_planes_of_a_cube_are_chosen_by_band():
    bands = {name: frame(seed) for seed, name in enumerate("grz")}
    cube = fits.PrimaryHDU(np.stack(list(bands.values())))
    for place, name in enumerate(bands):
        cube.header[f"BAND{place}"] = name
    content = file(cube)
    # Without names, red is the longest wavelength.
    np.testing.assert_array_equal(planes(content), np.stack([bands[name] for name in "zrg"]))
    chosen = planes(content, ("r", "z", "g"))
    np.testing.assert_array_equal(chosen, np.stack([bands[name] for name in "rzg"]))
    with pytest.raises(ImageError, match="no band i; it has g, r, z"):
        planes(content, ("i", "r", "g"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (file(fits.PrimaryHDU()), "no extension of this FITS file contains one"),
        (file(fits.PrimaryHDU(np.zeros(7, np.float32))), "no extension"),
        (file(fits.PrimaryHDU(np.zeros((2, 5, 5), np.float32))), "2 x 5 x 5"),
        (file(fits.PrimaryHDU(np.full((5, 5), np.nan, np.float32))), "no pixel has a value"),
        (b"SIMPLE  = nonsense", "not FITS, or damaged"),
        # Without a time stamp: the content is part of the test's name.
        (gzip.compress(b"no FITS", mtime=0), "compressed file contains something else"),
        ((file(fits.PrimaryHDU(np.zeros((3, 5, 5)))),) * 3, "is a cube"),
        (
            tuple(file(fits.PrimaryHDU(np.zeros((side, 5)))) for side in (5, 5, 6)),
            "differ in shape: 5 x 5 and 6 x 5",
        ),
        ((b"", b"", b""), "empty"),
        ((b"SIMPLE  =",) * 2, "three bands are needed, not 2"),
    ],
)
def test_each_fault_has_its_reason(source: object, words: str):
    with pytest.raises(ImageError, match=words):
        read(source)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_a_huge_image_is_refused_by_its_header():
    header = fits.Header([("SIMPLE", True), ("BITPIX", -64), ("NAXIS", 2), ("NAXIS1", 2**20),
                          ("NAXIS2", MAX_PIXELS // 2**20 + 1)])  # fmt: skip
    content = header.tostring().encode("ascii")
    for packed in (content, gzip.compress(content)):
        with pytest.raises(ImageError, match="too large"):
            read(packed)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_a_truncated_file_is_an_image_error(pack, tmp_path: Path):
    whole = pack(file(fits.PrimaryHDU(galaxy(1, 80)[..., 0].astype(">f8"))))
    path = tmp_path / "x.fits"
    for sixteenth in range(16):
        cut = whole[: len(whole) * sixteenth // 16]
        path.write_bytes(cut)
        for source in (cut, path):
            with pytest.raises(ImageError):
                decode(source, Preprocessing())


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_an_image_error(data: st.DataObject):
    content = bytearray(file(fits.PrimaryHDU(frame())))
    for _ in range(data.draw(st.integers(1, 5))):
        # Damage is most dangerous in the header.
        content[data.draw(st.integers(0, 800))] = data.draw(st.integers(32, 126))
    try:
        assert decode(bytes(content), Preprocessing()).shape == (150, 150, 3)
    except ImageError as error:
        assert str(error)


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(width=32),
    ),
    st.builds(
        Stretch, minimum=st.none() | st.floats(-1e6, 1e6), stretch=st.none() | st.floats(1e-6, 1e6)
    ),
)
def test_any_pixels_give_an_image_or_an_image_error(bands: np.ndarray, stretch: Stretch):
    try:
        image = colour(bands, stretch)
    except ImageError:
        assert not np.isfinite(bands).any(axis=(1, 2)).all()
    else:
        assert image.shape == (*bands.shape[1:], 3)
        assert image.dtype == np.uint8


@pytest.mark.parametrize(("minimum", "grey"), [(8.0, 0), (-8.0, 255)])
def test_a_minimum_far_from_tiny_pixels_gives_black_or_white(minimum: float, grey: int):
    bands = np.array([[[1e-41, 2e-41]]], np.float32)
    assert (colour(bands, Stretch(minimum=minimum, stretch=1e-40)) == grey).all()


def test_a_missing_astropy_is_reported_with_the_extra(monkeypatch: pytest.MonkeyPatch):
    from galaxy_edge import inputs

    monkeypatch.delattr(inputs, "fits")
    monkeypatch.delitem(sys.modules, "galaxy_edge.inputs.fits")
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    with pytest.raises(ImageError, match=r"galaxy-edge\[fits\]"):
        read(file(fits.PrimaryHDU(frame())))


def test_a_requested_stretch_replaces_that_of_the_model(model_file: Path):
    content = file(fits.PrimaryHDU(frame(size=30)))
    own, other = Predictor(model_file), Predictor(model_file, stretch={"stretch": 1.0, "q": 2.0})
    assert own.preprocessing == own.manifest.preprocessing
    assert other.preprocessing.stretch == Stretch(stretch=1.0, q=2.0)
    assert own.predict(content).score != other.predict(content).score


def test_real_frames_and_stamps_have_a_dark_sky_and_bright_galaxies(shared: Path):
    bands = tuple(str(shared / f"fits/ngc6976_{band}.fits.bz2") for band in "irg")
    image = pixels(bands, Stretch())
    assert image.shape == (496, 682, 3)
    # The sky is dark; the galaxies are neither faint nor saturated.
    assert np.median(image) < 30
    assert 0.0005 < (image.max(axis=2) > 200).mean() < 0.05
    stamps = sorted((shared / "fits/sdss_r").glob("*.fits"))
    assert len(stamps) == 25
    for stamp in stamps:
        grey = pixels(stamp, Stretch())
        assert np.median(grey) < 40
        assert grey.max() > 100


def test_a_compression_that_can_crash_the_process_is_refused():
    band = frame(size=40).astype(np.int16)
    for kind in ("HCOMPRESS_1", "PLIO_1"):
        packed = file(fits.PrimaryHDU(), fits.CompImageHDU(band, compression_type=kind))
        with pytest.raises(ImageError, match="unpack it first"):
            read(packed)
    packed = file(fits.PrimaryHDU(), fits.CompImageHDU(band, compression_type="RICE_1"))
    damaged = re.sub(rb"(ZVAL2   = +)2", rb"\g<1>3", packed)
    assert damaged != packed
    with pytest.raises(ImageError, match="BYTEPIX"):
        read(damaged)


def test_unsigned_pixels_may_be_blank():
    hdu = fits.PrimaryHDU(np.round(frame()).astype(np.uint16))
    hdu.header["BLANK"] = 32767
    content = bytearray(file(hdu))
    start = content.index(b"END" + b" " * 77) // 2880 * 2880 + 2880
    content[start : start + 2] = (32767).to_bytes(2, "big", signed=True)
    assert np.isnan(planes(bytes(content))[0, 0, 0])


def test_band_keywords_may_start_at_0_or_1():
    bands = np.stack([frame(seed) for seed in range(3)])
    cube = fits.PrimaryHDU(bands)
    cube.header.update(BAND1="g", BAND2="r", BAND3="i")
    np.testing.assert_array_equal(planes(file(cube), ("i", "r", "g")), bands[::-1])


def test_reading_in_threads_keeps_the_warning_filters(shared: Path, model_file: Path):
    before = warnings.filters[:]
    stamps = sorted((shared / "fits/sdss_r").glob("*.fits")) * 2
    assert {row.status for row in Predictor(model_file, threads=4).predict_many(stamps)} == {"ok"}
    assert warnings.filters == before
