"""Each degradation does only what it should, at the scale at which the model sees images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("keras")

from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train import dataset
from galaxy_edge_train.batches import Batches
from galaxy_edge_train.config import AugmentConfig, TrainConfig
from galaxy_edge_train.degradation import degrade, preprocessing_before_degradation
from tests.conftest import encoded, galaxy, make_data

PREPROCESSING = Preprocessing(size=32)
IMAGES = np.stack([galaxy(seed, 32) for seed in range(40)])


def degraded(images: np.ndarray = IMAGES, seed: int = 0, **config) -> np.ndarray:
    return degrade(images, AugmentConfig(**config), PREPROCESSING, np.random.default_rng(seed))


def roughness(images: np.ndarray) -> float:
    """Mean difference of neighbouring pixels."""
    return float(np.abs(np.diff(images.astype(float), axis=2)).mean())


@given(st.integers(0, 2**32))
def test_without_degradations_nothing_changes(seed: int):
    assert np.array_equal(degraded(IMAGES[:2], seed), IMAGES[:2])


@pytest.mark.parametrize(
    "config",
    [
        {"jpeg_quality": 30},
        {"resample": 0.5},
        {"noise": 9.0},
        {"restretch": 0.5},
        {"gain": 0.3},
        {"sky_level": 0.2},
        {"oversample": 2.0},
    ],
)
def test_each_step_changes_images_and_depends_on_the_seed(config: dict):
    first, again, other = (degraded(seed=seed, **config) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first != IMAGES).any(axis=(1, 2, 3)).sum() >= len(IMAGES) // 4
    assert (first.dtype, first.shape) == (IMAGES.dtype, IMAGES.shape)


@pytest.mark.parametrize("config", [{"jpeg_quality": 30}, {"noise": 40.0, "resample": 0.5}])
def test_half_of_the_images_are_left_unchanged(config: dict):
    unchanged = (degraded(**config) == IMAGES).all(axis=(1, 2, 3)).sum()
    assert 10 <= unchanged <= 30


def test_resampling_removes_detail_and_noise_adds_it():
    assert roughness(degraded(resample=0.6)) < 0.9 * roughness(IMAGES)
    assert roughness(degraded(noise=40.0)) > 1.1 * roughness(IMAGES)


def test_noise_has_the_requested_deviation():
    grey = np.full((300, 16, 16, 3), 128, np.uint8)
    config = AugmentConfig(noise=10.0)
    noisy = degrade(grey, config, Preprocessing(size=16), np.random.default_rng(0))
    deviations = noisy.astype(float).std(axis=(1, 2, 3))
    assert deviations.max() <= 11
    assert deviations[deviations > 0].mean() == pytest.approx(5, abs=0.6)


def test_a_stretch_keeps_black_white_and_the_order_of_levels():
    ramp = np.repeat(np.arange(0, 256, 17, dtype=np.uint8), 16 * 3).reshape(1, 16, 16, 3)
    config, size = AugmentConfig(restretch=1.0), Preprocessing(size=16)
    for seed in range(20):
        levels = degrade(ramp, config, size, np.random.default_rng(seed))[0, :, 0, 0].astype(int)
        assert (levels[0], levels[-1]) == (0, 255)
        assert (np.diff(levels) >= 0).all()
        # The power lies between the square root and the square.
        assert (ramp[0, :, 0, 0] / 255.0)[8] ** 2 * 255 - 1 <= levels[8] <= 187


def test_a_sky_level_raises_black_and_keeps_white():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[:, 8:] = 255
    found = [
        degrade(image, AugmentConfig(sky_level=0.2), Preprocessing(size=16), rng)[0]
        for rng in map(np.random.default_rng, range(60))
    ]
    black = np.array([each[0, 0, 0] for each in found])
    assert 0.15 * 255 < black.max() <= 0.2 * 255 + 0.5
    assert all((each[8:] == 255).all() for each in found)


def test_a_gain_scales_all_bands_alike_or_each_by_its_own_factor():
    image = np.full((1, 16, 16, 3), 100, np.uint8)
    found = [
        degrade(image, AugmentConfig(gain=0.25), Preprocessing(size=16), rng)[0, 0, 0]
        for rng in map(np.random.default_rng, range(80))
    ]
    levels = np.array(found)
    assert (levels.min(), levels.max()) == (pytest.approx(80, abs=3), pytest.approx(125, abs=3))
    alike = (levels == levels[:, :1]).all(axis=1)
    assert 0 < alike.sum() < len(alike)


def test_compression_of_an_enlarged_image_costs_less_detail():
    at_its_size = np.abs(degraded(jpeg_quality=30).astype(int) - IMAGES).mean()
    enlarged = np.abs(degraded(jpeg_quality=30, oversample=4.0).astype(int) - IMAGES).mean()
    assert 0 < enlarged < at_its_size


def test_images_are_degraded_before_they_are_enlarged():
    """Noise that is added at 16 pixels is smooth at 64."""
    preprocessing = Preprocessing(size=64, resize="bilinear", working_size=16)
    assert preprocessing_before_degradation(preprocessing).size == 16
    small = np.stack(
        [
            decode(encoded(galaxy(seed, 32)), preprocessing_before_degradation(preprocessing))
            for seed in range(8)
        ]
    )
    assert small.shape == (8, 16, 16, 3)
    config = AugmentConfig(noise=60.0)
    large = degrade(small, config, preprocessing, np.random.default_rng(0))
    assert large.shape == (8, 64, 64, 3)
    # Bilinear enlargement by four gives straight lines of four pixels; noise at 64 px does not.
    at_the_end = degrade(
        np.repeat(np.repeat(small, 4, axis=1), 4, axis=2), config,
        Preprocessing(size=64), np.random.default_rng(0),
    )  # fmt: skip
    assert roughness(large) < roughness(at_the_end) / 2


def test_without_degradation_images_are_those_the_model_sees():
    preprocessing = Preprocessing(size=24, resize="lanczos", working_size=12)
    content = encoded(galaxy(3, 40))
    seen = decode(content, preprocessing)
    kept = decode(content, preprocessing_before_degradation(preprocessing))[None]
    again = degrade(kept, AugmentConfig(), preprocessing, np.random.default_rng(0))[0]
    assert np.array_equal(again, seen)


def test_only_training_images_are_degraded(tmp_path: Path):
    config = TrainConfig(
        preprocessing=Preprocessing(size=24, working_size=16),
        augment=AugmentConfig(kind="none", noise=20.0),
    )
    loaded = dataset.load(make_data(tmp_path / "data"), config)
    assert loaded.splits["Train"].pixels.shape[1] == 16
    assert loaded.splits["Valid"].pixels.shape[1] == 24
    train = loaded.splits["Train"]
    batch, _ = Batches(train.pixels, train.labels, 4, config.preprocessing, config.augment, seed=1)[
        0
    ]
    assert batch.shape == (4, 24, 24, 3)
    assert 0 <= batch.min() <= batch.max() <= 1


def test_jpeg_artefacts_equal_those_of_a_jpeg_file():
    """Compressing a compressed image again with the same quality loses nothing."""
    image = IMAGES[:1]
    for seed in range(40):
        made = degraded(image, seed, jpeg_quality=40)
        if (made != image).any():
            break
    losses = []
    for quality in range(40, 101):
        file = io.BytesIO()
        Image.fromarray(image[0]).save(file, "JPEG", quality=quality)
        losses.append(np.abs(np.asarray(Image.open(file), int) - made[0]).max())
    assert min(losses) == 0
