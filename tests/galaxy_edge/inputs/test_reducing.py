"""The reducing gap: whole pixels are averaged first, as Pillow does it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import encoded, galaxy


def smooth(width: int, height: int) -> np.ndarray:
    """A slope in each channel."""
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)
    red, green = np.meshgrid(x, y)
    return np.stack([red, green, (red + green) / 2], axis=-1).astype(np.uint8)


@given(
    st.integers(1, 400), st.integers(1, 400), st.integers(16, 64), st.floats(1, 8),
    st.sampled_from(["bilinear", "lanczos"]), st.none() | st.integers(16, 40),
)  # fmt: skip
def test_the_reducing_gap_averages_whole_pixels_and_changes_little(
    width, height, size, gap, resize, working
):
    image = smooth(width, height)
    steps = Preprocessing(size=size, resize=resize, working_size=working)
    exact = decode(image, steps).astype(int)
    fast = decode(image, replace(steps, reducing_gap=gap)).astype(int)
    if max(width, height) < 2 * gap * min(size, working or size):
        assert np.array_equal(fast, exact)
    elif gap >= 3:
        assert np.abs(fast - exact).mean() < 3


def test_the_reducing_gap_is_pillows():
    image = galaxy(1, 400)
    expected = Image.fromarray(image).resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    steps = Preprocessing(size=32, resize="lanczos", reducing_gap=3.0)
    assert np.array_equal(decode(image, steps), np.asarray(expected))
    exact = decode(image, Preprocessing(size=32, resize="lanczos"))
    assert not np.array_equal(exact, np.asarray(expected))
    # However the image is given.
    assert np.array_equal(decode(encoded(image), steps), np.asarray(expected))
    assert np.array_equal(decode(Image.fromarray(image), steps), np.asarray(expected))
