"""Our augmentation against ``ImageDataGenerator``, which the documentation names."""

from __future__ import annotations

import warnings
from dataclasses import asdict

import numpy as np
import pytest

from galaxy_edge_train.augmentation import Affine, apply, augment, draw, shift, turn
from galaxy_edge_train.config import AugmentConfig
from tests.conftest import galaxy

SIZE = 50
FIXED = [
    Affine(),
    Affine(theta=30),
    Affine(tx=7.25, ty=-3.5),
    Affine(shear=12),
    Affine(zx=0.8, zy=1.2),
    Affine(flip_horizontal=True),
    Affine(theta=-40, tx=10, ty=-10, shear=0.2, zx=1.2, zy=0.8, flip_horizontal=True),
    Affine(theta=17.3, tx=-4.2, ty=8.8, shear=-0.13, zx=0.91, zy=1.07),
]


def by_keras(image: np.ndarray, transform: Affine) -> np.ndarray:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(fill_mode="nearest", data_format="channels_last")
    with warnings.catch_warnings():
        # It calls scipy.ndimage by a deprecated name.
        warnings.simplefilter("ignore", DeprecationWarning)
        return generator.apply_transform(image.astype(np.float32), asdict(transform))


@pytest.mark.parametrize("transform", FIXED, ids=str)
def test_pixels_equal_those_of_image_data_generator(transform: Affine):
    image = galaxy(1, SIZE)
    ours = apply(image[None], [transform])[0]
    # In grey levels: the two libraries round the same interpolation differently.
    np.testing.assert_allclose(ours, by_keras(image, transform), atol=0.01)


@pytest.mark.parametrize("transform", FIXED, ids=str)
def test_the_matrix_equals_that_of_image_data_generator(transform: Affine):
    """An image of its own coordinates shows the matrix, except near the edges."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    seen = by_keras(np.stack([x, y, np.zeros_like(x)], axis=2), transform)[..., :2]
    ours = np.stack([x, y, np.ones_like(x)], axis=2) @ transform.matrix(SIZE)[:2].T
    inside = np.all((ours > 1) & (ours < SIZE - 2), axis=2)
    assert inside.any()
    np.testing.assert_allclose(ours[inside], seen[inside], atol=1e-3)


def test_each_image_gets_its_own_transform():
    images = np.stack([galaxy(1, SIZE), galaxy(1, SIZE)])
    batch = apply(images, [Affine(), Affine(theta=20)])
    assert np.array_equal(batch[0], images[0])
    assert not np.array_equal(batch[1], batch[0])


def test_draws_fill_their_ranges_and_stay_inside():
    config = AugmentConfig()
    rng = np.random.default_rng(0)
    drawn = [draw(config, 150, rng) for _ in range(2000)]
    for name, low, high in (
        ("theta", -40, 40), ("tx", -30, 30), ("ty", -30, 30), ("shear", -0.2, 0.2),
        ("zx", 0.8, 1.2), ("zy", 0.8, 1.2),
    ):  # fmt: skip
        values = np.array([getattr(transform, name) for transform in drawn])
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high >= values.max() > high - 0.02 * (high - low)
    assert 0.4 < np.mean([transform.flip_horizontal for transform in drawn]) < 0.6
    assert np.corrcoef([t.zx for t in drawn], [t.zy for t in drawn])[0, 1] < 0.1


def test_each_shift_has_its_own_range():
    """``ImageDataGenerator`` draws tx from the height's range and ty from the width's."""
    config = AugmentConfig(height_shift=0.1, width_shift=0.4)
    rng = np.random.default_rng(0)
    drawn = [draw(config, 100, rng) for _ in range(500)]
    assert 9 < max(abs(transform.tx) for transform in drawn) <= 10
    assert 38 < max(abs(transform.ty) for transform in drawn) <= 40


def test_ranges_of_zero_change_nothing():
    still = AugmentConfig(
        rotation=0, width_shift=0, height_shift=0, shear=0, zoom=0, horizontal_flip=False
    )
    assert draw(still, 150, np.random.default_rng(0)) == Affine()


def test_exact_applies_the_eight_symmetries_and_keeps_every_pixel():
    image = galaxy(1, 8)
    turned = [turn(image, symmetry) for symmetry in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    for t in turned:
        assert sorted(map(tuple, t.reshape(-1, 3))) == sorted(map(tuple, image.reshape(-1, 3)))
    images = np.stack([image] * 200)
    batch = augment(images, AugmentConfig(kind="exact"), np.random.default_rng(0))
    assert {b.astype(np.uint8).tobytes() for b in batch} == {t.tobytes() for t in turned}


def test_none_leaves_images_unchanged():
    images = np.stack([galaxy(1, 8)])
    batch = augment(images, AugmentConfig(kind="none"), np.random.default_rng(0))
    assert np.array_equal(batch, images)
    assert batch.dtype == np.float32


def test_a_shift_moves_pixels_and_repeats_the_edge():
    image = galaxy(4, 6)
    moved = shift(image, 2, -1)
    np.testing.assert_array_equal(moved[2:, :-1], image[:-2, 1:])
    np.testing.assert_array_equal(moved[0], moved[2])
    np.testing.assert_array_equal(moved[:, -1], moved[:, -2])
    np.testing.assert_array_equal(shift(image, 0, 0), image)


def test_exact_shifts_by_whole_pixels_within_the_range():
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 255
    config = AugmentConfig("exact", pixel_shift=2)
    many = augment(np.repeat(image[None], 300, axis=0), config, np.random.default_rng(0))
    places = {tuple(np.argwhere(one[..., 0])[0]) for one in many}
    assert places == {(y, x) for y in range(2, 7) for x in range(2, 7)}
