"""Each kind of disturbance does what it says, and no image stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

pytest.importorskip("keras")

from galaxy_edge_train.progress import Bar
from galaxy_edge_train.synthesis.config import SynthesisConfig
from galaxy_edge_train.synthesis.fakes import FAMILIES, Reals
from galaxy_edge_train.synthesis.fakes.disturbance import KINDS, disturb
from tests.conftest import galaxy

SIZE = 32
NUMBERS = {kind.__name__: number for number, kind in enumerate(KINDS)}


def disturbed(kind: str, image: np.ndarray, seed: int) -> np.ndarray:
    return disturb(image, NUMBERS[kind], np.random.default_rng(seed)).astype(float)


def grain(image: np.ndarray) -> float:
    """The strength of the detail between neighbouring pixels."""
    return float(np.diff(image.astype(float), axis=0).std())


def blurred(image: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(image.astype(float), (4, 4, 0))


@given(st.integers(0, 1000), st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_an_image_is_changed_but_stays_the_same_galaxy(number: int, kind: int, seed: int):
    image = galaxy(number, SIZE)
    made = disturb(image, kind, np.random.default_rng(seed))
    assert (made.shape, made.dtype) == (image.shape, image.dtype)
    assert not np.array_equal(made, image)
    assert np.abs(blurred(made) - blurred(image)).mean() < 8


@given(st.sampled_from([0, 7, 128, 255]), st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_a_blank_image_is_changed_too(level: int, kind: int, seed: int):
    blank = np.full((SIZE, SIZE, 3), level, np.uint8)
    assert not np.array_equal(disturb(blank, kind, np.random.default_rng(seed)), blank)


@given(st.integers(0, 1000), st.integers(0, 2**32 - 1))
def test_smoothing_kinds_take_detail_away(number: int, seed: int):
    image = galaxy(number, SIZE)
    for kind in ("blurred", "median_filtered", "residual_damped"):
        assert grain(disturbed(kind, image, seed)) < 0.95 * grain(image), kind


@given(st.integers(0, 1000), st.integers(0, 2**32 - 1))
def test_amplified_detail_is_stronger_and_moved_detail_as_strong(number: int, seed: int):
    image = galaxy(number, SIZE)
    assert grain(disturbed("residual_amplified", image, seed)) > 1.15 * grain(image)
    moved = disturbed("residual_moved", image, seed)
    assert 0.8 < grain(moved) / grain(image) < 1.25
    assert np.corrcoef(np.diff(moved, axis=0).ravel(), np.diff(image, axis=0).ravel())[0, 1] < 0.6


@given(st.integers(0, 2**32 - 1))
def test_noise_is_flat_or_grows_with_the_brightness(seed: int):
    image = np.full((SIZE, SIZE, 3), 100, np.uint8)
    image[:, SIZE // 2 :] = 200
    change = disturbed("noisy", image, seed) - image
    dark, bright = change[:, : SIZE // 2].std(), change[:, SIZE // 2 :].std()
    assert 0.5 < dark < 8.5
    # Flat, or in the ratio of 0.3 + 200 / 255 to 0.3 + 100 / 255; rounding adds to both.
    assert min(abs(bright / dark - 1), abs(bright / dark - 1.57)) < 0.2
    smooth = disturbed("blurred_and_noisy", image, seed)
    assert 0.9 < smooth[:, :8].std() < 7


def test_resampling_uses_different_sizes_and_filters():
    image = galaxy(0, SIZE)
    made = {disturbed("resampled", image, seed).tobytes() for seed in range(20)}
    assert len(made) > 15


def test_the_seed_decides_the_fakes_and_the_kinds_take_turns(tmp_path: Path):
    images = np.stack([galaxy(seed, SIZE) for seed in range(16)])
    reals = Reals(images, np.ones((16, 1), np.float32))

    def fakes(seed: int) -> np.ndarray:
        config = SynthesisConfig(seed=seed)
        family = FAMILIES["disturbance"]("disturbance", config, tmp_path, Bar(quiet=True))
        assert family.train(reals) == {"kinds": list(NUMBERS)}
        return np.stack(list(family.fakes(reals)))

    assert np.array_equal(fakes(1), fakes(1))
    assert not (fakes(1) == fakes(2)).all(axis=(1, 2, 3)).all()
    smoothed = [
        grain(fake) < 0.95 * grain(image) for fake, image in zip(fakes(1), images, strict=True)
    ]
    for kind in ("blurred", "median_filtered", "residual_damped"):
        assert smoothed[NUMBERS[kind]]
        assert smoothed[NUMBERS[kind] + len(KINDS)]
