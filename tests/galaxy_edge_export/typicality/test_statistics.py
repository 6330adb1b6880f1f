"""The statistics are finite for every image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export.typicality.description import seen_statistics
from galaxy_edge_export.typicality.statistics import COUNT
from galaxy_edge_export.typicality.view import LARGEST, view
from tests.conftest import galaxy


def described(images: Pixels) -> np.ndarray:
    seen = view(images.shape[1])
    assert seen is not None
    return seen_statistics(seen, images)


def galaxies(count: int, size: int) -> Pixels:
    return np.stack([galaxy(seed, size) for seed in range(count)])


@pytest.mark.parametrize("size", [8, 9, 33])
def test_blank_and_constant_images_have_finite_statistics(size: int):
    flat = np.stack([np.full((size, size, 3), level, np.uint8) for level in (0, 1, 128, 255)])
    found = described(flat)
    assert found.shape == (4, COUNT)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :-3], found[[0, 0, 0, 0], :-3], atol=1e-6)
    np.testing.assert_allclose(found[:, -3:], np.log([[1], [2], [129], [256]]) * np.ones(3))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 255]))
def test_any_pixels_have_finite_statistics(seed: int, top: int):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, top, (3, 8, 8, 3), np.uint8, endpoint=True)
    images[1] = images[1, :, :, :1]  # equal bands
    images[2, ..., 1:] = 0  # a single band
    assert np.isfinite(described(images)).all()


def test_equal_bands_differ_from_correlated_ones():
    colour = galaxies(1, 32)
    grey = np.repeat(colour.mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    ours, equal = described(colour), described(grey)
    assert np.abs(equal - ours).max() > 3
    correlations = equal[0, 18:36]
    assert correlations.max() < 4  # a correlation of 1 has no finite Fisher transform


def test_a_bright_star_changes_the_statistics_less_than_noise_does():
    sky = np.random.default_rng(0).integers(5, 15, (1, 32, 32, 3)).astype(np.uint8)
    star, noisy = sky.copy(), sky.copy()
    star[0, 15:17, 15:17] = 255
    noisy[0] += np.random.default_rng(1).integers(0, 8, (32, 32, 3)).astype(np.uint8)
    change = [np.abs(described(one) - described(sky))[0, :18].mean() for one in (star, noisy)]
    assert change[0] < change[1] / 2


@pytest.mark.parametrize(("size", "side"), [(150, LARGEST), (64, 64), (8, 8)])
def test_the_side_has_a_limit(size: int, side: int):
    seen = view(size)
    assert seen is not None
    pixels = seen.pixels(np.zeros((1, size, size, 3), np.uint8))
    assert pixels.shape == (1, 3, side, side)


def test_tiny_images_have_no_statistics():
    assert view(7) is None


def test_a_large_image_is_cropped_to_the_middle():
    image = np.zeros((1, 200, 200, 3), np.uint8)
    image[0, 36:164, 36:164] = 7
    seen = view(200)
    assert seen is not None
    assert (seen.pixels(image) == 7).all()
