"""Units, pedestals and whole numbers of any size give the same picture."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge import ImageError
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.stretch import colour
from tests.conftest import galaxy
from tests.galaxy_edge.inputs.fits_files import file, frame, pixels, planes, with_cards


def cube() -> np.ndarray:
    """Three bands with noise, float64."""
    noise = np.random.default_rng(0).normal(0, 1, (60, 60, 3))
    return np.moveaxis(galaxy(1, 60) + noise, 2, 0) / 50


def assert_same(image: np.ndarray, expected: np.ndarray) -> None:
    """The same picture, up to the rounding of a grey level here and there."""
    different = image != expected
    assert np.abs(image.astype(int) - expected)[different].max(initial=0) <= 1
    assert different.mean() < 0.02
    assert expected.max() > 60


@pytest.mark.parametrize(
    ("factor", "pedestal"),
    [(1e40, 0), (1e-45, 0), (1e300, 0), (1e-300, 0), (1, 1e9), (1, -1e9), (1e-45, 1e-36)],
)
def test_units_and_pedestals_do_not_change_the_picture(factor: float, pedestal: float):
    expected = pixels(file(fits.PrimaryHDU(cube())), Stretch())
    assert_same(pixels(file(fits.PrimaryHDU(cube() * factor + pedestal)), Stretch()), expected)
    assert_same(colour(cube() * factor + pedestal, Stretch()), expected)
    # Fixed numbers in the same units.
    fixed = Stretch(minimum=2.0, stretch=1.5)
    scaled = Stretch(minimum=2.0 * factor + pedestal, stretch=1.5 * factor)
    image = pixels(file(fits.PrimaryHDU(cube() * factor + pedestal)), scaled)
    assert_same(image, pixels(file(fits.PrimaryHDU(cube())), fixed))


@pytest.mark.parametrize(("kind", "pedestal"), [("u2", 0), ("u4", 3_000_000_000), ("u8", 0),
    ("u8", 10**13), ("i8", -(10**13)), ("i4", 2_000_000_000)])  # fmt: skip
def test_whole_numbers_give_the_same_picture(kind: str, pedestal: int):
    whole = np.round((cube() + 2) * 500).astype(np.int64)
    expected = pixels(file(fits.PrimaryHDU(whole.astype(np.float32))), Stretch())
    stored = (whole + pedestal).astype(kind)
    assert_same(pixels(file(fits.PrimaryHDU(stored)), Stretch()), expected)
    assert_same(colour(stored, Stretch()), expected)


def test_unsigned_64_bit_pixels_keep_their_last_digits():
    stored = np.arange(1000, 1400, dtype=np.uint64).reshape(20, 20)
    np.testing.assert_array_equal(planes(file(fits.PrimaryHDU(stored)))[0], stored)
    blank = with_cards(file(fits.PrimaryHDU(stored)), BLANK=str(1000 - 2**63))
    found = planes(blank)[0]
    assert np.isnan(found[0, 0])
    np.testing.assert_array_equal(found.ravel()[1:], stored.ravel()[1:])


def test_whole_numbers_beyond_double_precision_are_refused():
    stored = (frame(size=20) * 10).astype(np.int64) + 2**60
    with pytest.raises(ImageError, match="subtract a constant first"):
        pixels(file(fits.PrimaryHDU(stored)), Stretch())


def test_a_blank_of_zero_is_applied():
    stored = np.round(frame()).astype(np.int16) + 1
    stored[:5] = 0
    found = planes(with_cards(file(fits.PrimaryHDU(stored)), BLANK="0"))[0]
    assert np.isnan(found[:5]).all()
    np.testing.assert_array_equal(found[5:], stored[5:])


def test_a_large_offset_of_small_integers_keeps_their_steps():
    stored = fits.PrimaryHDU(np.round(frame()).astype(np.int16))
    content = with_cards(file(stored), BSCALE="0.01", BZERO="1E9")
    np.testing.assert_allclose(planes(content)[0] - 1e9, np.round(frame()) * 0.01, atol=1e-6)


def test_a_mark_out_of_range_has_no_value():
    marked = cube()
    marked[:, 3, 4] = np.finfo(np.float64).max
    expected = cube()
    expected[:, 3, 4] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = colour(marked, Stretch())
    np.testing.assert_array_equal(image, colour(expected, Stretch()))


@given(st.integers(-100, 100))
def test_a_power_of_two_changes_no_pixel(power: int):
    band = cube()[:1].astype(np.float32)
    image = colour(np.ldexp(band, power), Stretch())
    np.testing.assert_array_equal(image, colour(band, Stretch()))
