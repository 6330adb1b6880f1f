"""The sky and the colours are astropy's to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from astropy.visualization import make_lupton_rgb
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxy_edge.inputs.lupton import lupton
from galaxy_edge.inputs.sky import sky
from tests.conftest import galaxy

SEEDS = st.integers(0, 2**32 - 1)


def noisy(seed: int, count: int) -> np.ndarray:
    """Sky, stars, and equal values; sometimes all of a kind."""
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.uniform(-5, 5), rng.choice([0, 1e-9, 0.3, 40]), count)
    bright = rng.random(count) < rng.choice([0, 0.01, 0.4])
    values[bright] *= rng.choice([3, 1e3, -1e8])
    return np.round(values, 1) if rng.random() < 0.3 else values


@given(SEEDS, st.integers(1, 300))
def test_the_sky_is_astropys(seed: int, count: int):
    values = noisy(seed, count)
    _, median, deviation = sigma_clipped_stats(values)
    assert sky(values) == (median, deviation)


def test_the_sky_of_a_large_frame_is_astropys():
    values = np.concatenate([galaxy(1, 300)[..., 0].ravel(), noisy(3, 200_001)]).astype(float)
    _, median, deviation = sigma_clipped_stats(values)
    assert sky(values) == (median, deviation)


@settings(deadline=None)
@given(
    SEEDS, st.sampled_from([1, 3]), st.floats(1e-3, 1e3), st.floats(1e-8, 1e11),
    st.sampled_from([1e-30, 1e-3, 1, 1e6, 1e20]),
)  # fmt: skip
def test_the_colours_are_astropys(
    seed: int, bands: int, stretch: float, softening: float, unit: float
):
    values = noisy(seed, bands * 12 * 7).reshape(bands, 12, 7).astype(np.float32)
    values *= np.float32(unit)
    black = [float(band.min()) * 0.9 for band in values]
    with np.errstate(all="ignore"):
        expected = make_lupton_rgb(
            *np.broadcast_to(values, (3, 12, 7)), minimum=(black * 3)[:3],
            stretch=stretch * unit, Q=softening,
        )  # fmt: skip
    found = lupton(values, black, stretch * unit, softening)
    assert (found.shape, found.dtype) == ((12, 7, 3), np.uint8)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("stretch", [np.finfo(np.float64).tiny, 1.0])
def test_a_constant_image_is_black_as_astropys(stretch: float):
    values = np.full((1, 4, 5), 7, np.float32)
    assert not lupton(values, [7.0], float(stretch), 8.0).any()
