"""The interface of all networks that `galaxy_edge_train.generators.training.fit` trains."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.augmentation import Floats

Arrays: TypeAlias = tuple[Floats, ...]


class Trainable(keras.Model):  # type: ignore[misc]
    """A network that learns from square RGB images, with random inputs and a loss to minimise.

    `call` adds the loss of a batch, so that Keras's own training step works for every network on
    every backend. All random numbers are inputs, drawn by NumPy, so that a resumed training gives
    the same result as an uninterrupted one on any backend.

    Args:
        size: height and width of the images, pixels; a multiple of
            `galaxy_edge_train.families.MULTIPLE`.
    """

    #: Adam's learning rate and decay of the first moment.
    learning_rate = 0.0002
    beta_1 = 0.9

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    @abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """The random inputs of a training batch of ``count`` images."""

    @abstractmethod
    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the loss of a batch.

        Args:
            inputs: images, float32 [B, size, size, 3], -1 to 1; their sources, float32
                [B, sources], one-hot; and the arrays that `draw` returned.
        """

    def prepare(self, images: Pixels, sources: Floats) -> None:
        """Compute what is needed after the training; called with the final weights.

        Args:
            images: the training images, uint8 [N, size, size, 3].
            sources: float32 [N, sources], one-hot.
        """

    def noise(self, count: int, rng: np.random.Generator, channels: int = 3) -> Floats:
        """Standard normal images: float32 [count, size, size, channels]."""
        return normal(rng, count, self.size, self.size, channels)


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Standard normal numbers, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def run(model: keras.Model, *inputs: npt.NDArray[np.float32]) -> Floats:
    """The output of a network for one batch, in inference mode."""
    return np.asarray(model.predict_on_batch(list(inputs)), dtype=np.float32)


def to_floats(images: Pixels) -> Floats:
    """Convert grey levels, uint8 0 to 255, to float32, -1 to 1."""
    return images.astype(np.float32) / np.float32(127.5) - 1


def to_pixels(images: Floats) -> Pixels:
    """Convert float32, -1 to 1, to the nearest grey level, uint8; values beyond are clipped."""
    levels = np.clip(np.rint((images + 1) * np.float32(127.5)), 0, 255)
    return np.asarray(levels, dtype=np.uint8)
