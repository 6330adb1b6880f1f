"""Training the documented network on random images: one step, and one epoch of 320 images.

The epoch is timed with our ``Batches`` and with the documented ``ImageDataGenerator``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train import networks
from galaxy_edge_train.batches import Batches
from galaxy_edge_train.config import AugmentConfig, NetworkConfig

Benchmark = Callable[..., Any]
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (320, 150, 150, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 2, 320, dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    built = networks.build(NetworkConfig(), 150)
    built.compile(optimizer=keras.optimizers.Adam(0.001), loss="binary_crossentropy")
    return built


@pytest.mark.benchmark(group="train a step of 32 images")
def test_step(benchmark: Any, model: keras.Model):
    images, labels = Batches(IMAGES[:32], LABELS[:32], 32, Preprocessing(), AugmentConfig())[0]
    loss = benchmark.pedantic(
        model.train_on_batch, args=(images, labels), rounds=10, warmup_rounds=2
    )
    assert np.isfinite(loss).all()


def our_batches(count: int) -> Batches:
    return Batches(IMAGES[:count], LABELS[:count], 32, Preprocessing(), AugmentConfig())


def keras_batches(count: int) -> Any:
    """Return the batches of the documented set-up."""
    generator = ImageDataGenerator(
        rescale=1 / 255, rotation_range=40, width_shift_range=0.2, height_shift_range=0.2,
        shear_range=0.2, zoom_range=0.2, horizontal_flip=True, fill_mode="nearest",
    )  # fmt: skip
    return generator.flow(IMAGES[:count], LABELS[:count], batch_size=32)


# Keras uses a name of scipy.ndimage that SciPy has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.benchmark(group="train an epoch of 320 images, augmented")
@pytest.mark.parametrize(
    "how", [our_batches, keras_batches], ids=["galaxy-edge", "ImageDataGenerator"]
)
def test_epoch(benchmark: Any, model: keras.Model, how: Callable[[int], Any]):
    count = 320 if benchmark.enabled else 32
    history = benchmark.pedantic(
        lambda: model.fit(how(count), epochs=1, shuffle=False, verbose=0), rounds=3, warmup_rounds=1
    )
    assert np.isfinite(history.history["loss"]).all()
