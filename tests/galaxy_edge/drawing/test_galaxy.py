from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from galaxy_edge.drawing.galaxy import as_png, galaxy


def test_a_seed_draws_one_galaxy_and_another_seed_another():
    np.testing.assert_array_equal(galaxy(3), galaxy(3))
    assert not np.array_equal(galaxy(3), galaxy(4))


@pytest.mark.parametrize("size", [1, 24, 150])
def test_a_galaxy_is_an_rgb_image_of_the_requested_size(size: int):
    image = galaxy(1, size)
    assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)


def test_every_size_shows_the_same_galaxy():
    large = Image.fromarray(galaxy(5, 256)).resize((64, 64), Image.Resampling.BOX)
    difference = np.abs(np.asarray(large, float) - galaxy(5).astype(float)).mean()
    assert difference < 10 < np.abs(galaxy(6).astype(float) - galaxy(5)).mean()


@pytest.mark.parametrize("smallest", [False, True])
def test_a_png_holds_the_pixels(smallest: bool):
    png = as_png(galaxy(1), smallest=smallest)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), galaxy(1))
