"""Our augmentation against the Keras class it mirrors: same batch, same parameters."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from galaxy_edge_train.augmentation import Affine, Floats, apply, draw
from galaxy_edge_train.config import AugmentConfig

Benchmark = Callable[..., Any]
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 150, 150, 3), dtype=np.uint8)


def transforms() -> list[Affine]:
    rng = np.random.default_rng(0)
    return [draw(AugmentConfig(), 150, rng) for _ in IMAGES]


def apply_with_keras(images: np.ndarray, drawn: list[Affine]) -> Floats:
    generator = ImageDataGenerator(fill_mode="nearest", data_format="channels_last")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.stack(
            [
                generator.apply_transform(image.astype(np.float32), asdict(one))
                for image, one in zip(images, drawn, strict=True)
            ]
        )


@pytest.mark.benchmark(group="augment a batch of 32")
@pytest.mark.parametrize(
    "how", [apply, apply_with_keras], ids=["galaxy-edge", "ImageDataGenerator"]
)
def test_augment(benchmark: Benchmark, how: Callable[..., Floats]):
    assert benchmark(how, IMAGES, transforms()).shape == IMAGES.shape


def test_our_augmentation_is_faster():
    drawn = transforms()
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(7):
        for name, how in (("ours", apply), ("theirs", apply_with_keras)):
            start = time.perf_counter()
            how(IMAGES, drawn)
            times[name].append(time.perf_counter() - start)
    assert median(times["ours"]) / median(times["theirs"]) < 1.0
