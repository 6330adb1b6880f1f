"""The stretch of each channel by itself."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.visualization import AsinhStretch, LinearStretch, PercentileInterval
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.channels import separate, squared
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import (
    Preprocessing,
    Stretch,
    preprocessing_document,
    preprocessing_from,
)
from galaxy_edge.inputs.source import Stamps
from galaxy_edge.inputs.stretch import colour

KINDS = ("asinh", "linear")


def stamp(seed: int, *, sky: float = 100.0) -> np.ndarray:
    """A source on a noisy sky."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:63, :63] - 31
    return (sky + rng.normal(0, 5, (63, 63)) + 500 * np.exp(-np.hypot(x, y) / 2)).astype(np.float32)


def written(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    fits.writeto(file, pixels)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percentiles", [(0.5, 99.5), (0.0, 100.0)])
def test_it_is_that_of_astropy(kind: str, percentiles: tuple[float, float]):
    image = stamp(1)
    found = colour(image[None], Stretch(kind=kind, percentiles=percentiles, q=10.0))
    low, high = np.percentile(image.astype(float), percentiles)
    shares = np.clip((image.astype(float) - low) / (high - low), 0, 1)
    stretch = AsinhStretch(0.1) if kind == "asinh" else LinearStretch()
    expected = 255 * stretch(shares)[::-1]
    assert np.abs(found[..., 0] - expected).max() <= 0.501
    assert (found[..., 0] == found[..., 2]).all()
    assert PercentileInterval(99).get_limits(image)[0] == pytest.approx(
        np.percentile(image, 0.5), rel=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_channels_do_not_know_each_other(kind: str):
    bands = np.stack([stamp(1), stamp(2, sky=-1e4), 1e6 * stamp(3)])
    whole = colour(bands, Stretch(kind=kind))
    for place in range(3):
        alone = colour(bands[place : place + 1], Stretch(kind=kind))
        assert (whole[..., place] == alone[..., 0]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("border", [np.nan, np.inf, 0.0, -999.0])
def test_a_border_without_data_becomes_sky_and_changes_nothing_else(kind: str, border: float):
    clean = stamp(1)
    image = clean.copy()
    image[:, :12] = border
    found = colour(image[None], Stretch(kind=kind))[..., 0][::-1]
    valid = colour(clean[None, :, 12:], Stretch(kind=kind))[..., 0][::-1]
    assert (found[:, 12:] == valid).all()
    sky = np.median(valid)
    assert np.abs(found[:, :12].astype(float) - sky).max() <= 1


def test_black_level_and_range_replace_the_percentiles():
    image = np.linspace(0, 10, 100).reshape(1, 10, 10)
    found = colour(image, Stretch(kind="linear", minimum=2.0, stretch=5.0))[::-1, :, 0]
    assert (found == np.rint(255 * np.clip((image[0] - 2) / 5, 0, 1))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_channel_is_black(kind: str):
    assert not colour(np.full((1, 20, 20), 7.0), Stretch(kind=kind)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_without_pixels_is_refused(kind: str):
    bands = np.stack([stamp(1), np.full((63, 63), np.nan, np.float32), stamp(2)])
    with pytest.raises(ImageError, match="no pixel has a value"):
        colour(bands, Stretch(kind=kind))
    with pytest.raises(ImageError, match=r"over 2\^53"):
        colour(np.full((1, 4, 4), 2**60), Stretch(kind=kind))


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.uint8]),
        st.tuples(st.sampled_from([1, 3]), st.integers(1, 20), st.integers(1, 20)),
    ),
    st.sampled_from(KINDS),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.floats(1e-300, 1e300),
)
@example(np.full((1, 1, 2), 1.7e308), "asinh", None, None)
def test_any_pixels_become_a_picture_or_an_error(bands, kind, minimum, reach):
    stretch = Stretch(kind=kind, minimum=minimum, stretch=reach)
    try:
        image = separate(bands, stretch)
    except ImageError:
        assert any(not np.isfinite(band).any() for band in bands)
        return
    assert image.dtype == np.uint8
    assert image.shape == (*bands.shape[1:], 3)


@given(
    st.integers(-60, 60),
    st.integers(0, 100),
    st.sampled_from(KINDS),
)
def test_units_do_not_matter(exponent: int, seed: int, kind: str):
    image = stamp(seed)[None].astype(np.float64)
    other = image * 2.0**exponent
    assert (colour(image, Stretch(kind=kind)) == colour(other, Stretch(kind=kind))).all()


@pytest.mark.parametrize(("height", "width"), [(63, 50), (40, 63), (63, 63)])
def test_a_stamp_that_was_cut_off_becomes_a_square(height: int, width: int):
    image = stamp(1)[None, :height, :width]
    square = squared(image)
    assert square.shape == (1, 63, 63)
    assert np.array_equal(square[:, :height, :width], image)
    assert np.isnan(square).sum() == 63 * 63 - height * width
    pixels = decode(Stamps([written(image[0])]), Preprocessing(63, stretch=Stretch(kind="asinh")))
    inside = colour(image, Stretch(kind="asinh"))
    assert (pixels[63 - height :, :width] == inside).all()


def test_three_stamps_are_three_channels_if_the_stretch_allows_it():
    stamps = Stamps(written(stamp(seed, sky=10.0 * seed)) for seed in range(3))
    steps = Preprocessing(63, stretch=Stretch(kind="linear"))
    pixels = decode(stamps, steps)
    for place in range(3):
        alone = decode(Stamps([stamps[place]]), steps)
        assert (pixels[..., place] == alone[..., 0]).all()
    with pytest.raises(ImageError, match="--stretch-kind asinh or linear"):
        decode(stamps, Preprocessing(63))


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([b"no image"], "a stamp must be FITS"),
        ([written(stamp(1)), b"no image", written(stamp(1))], "the template one is not"),
        ([written(stamp(1)), written(stamp(1)), written(stamp(1)[:9])], "differ in shape"),
        ([written(stamp(1)), written(np.zeros((3, 9, 9))), written(stamp(1))], "is a cube"),
    ],
)
def test_stamps_that_do_not_fit_are_refused(stamps: list[bytes], message: str):
    steps = Preprocessing(63, stretch=Stretch(kind="asinh"))
    with pytest.raises(ImageError, match=message):
        decode(Stamps(stamps), steps)


def test_old_files_do_not_change_and_new_ones_are_read_back():
    old = preprocessing_document(Preprocessing())
    assert {*old["stretch"]} == {"bands", "minimum", "stretch", "q"}
    new = Preprocessing(stretch=Stretch(kind="asinh", percentiles=(1.0, 99.9)))
    document = preprocessing_document(new)
    assert document["stretch"]["percentiles"] == [1.0, 99.9]
    assert preprocessing_from(document) == new
    assert preprocessing_from(old) == Preprocessing()
    partly = replace(new, stretch=replace(new.stretch, percentiles=(0.5, 99.5)))
    assert preprocessing_from(preprocessing_document(partly)) == partly


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"kind": "sqrt"}, "must be one of lupton, asinh, linear"),
        ({"percentiles": (99.0, 1.0)}, "two growing numbers"),
        ({"percentiles": (0.0, 101.0)}, "two growing numbers"),
        ({"percentiles": (1.0,)}, "two growing numbers"),
        ({"percentiles": "ab"}, "two growing numbers"),
        ({"percentiles": (float("nan"), 99.0)}, "two growing numbers"),
    ],
)
def test_an_invalid_stretch_is_refused(bad: dict, message: str):
    with pytest.raises(UsageError, match=message):
        Stretch(**bad)
    document = preprocessing_document(Preprocessing())
    document["stretch"] |= {key: list(v) if key == "percentiles" else v for key, v in bad.items()}
    with pytest.raises(UsageError):
        preprocessing_from(document)
