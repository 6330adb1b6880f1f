"""What the families have in common: a loss to minimise, random inputs, and samples."""

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

#: The convolutions of every family halve an image three or four times.
MULTIPLE = 16


class Generator(keras.Model):  # type: ignore[misc]
    """A generative model of square RGB images from one or several sources.

    `call` adds the loss of a batch, so that Keras's own training step serves every family on every
    backend. Whatever is random is an input, drawn by NumPy: a resumed training goes on as an
    undisturbed one would, on any backend. A source (a survey, a stretch, a framing) is a condition,
    one-hot, so that the samples have as many of each as is asked for.

    Args:
        size: height and width of the images, pixels; a multiple of `MULTIPLE`.
        sources: number of sources.
    """

    #: Passes over the training images that are worth their time: about an hour for 3,000 images of
    #: 64 px on two cores, or less.
    epochs: int
    #: Adam's step size and its decay of the first moment.
    learning_rate = 0.0002
    beta_1 = 0.9

    def __init__(self, size: int, sources: int) -> None:
        super().__init__()
        self.size = size
        self.sources = sources

    @abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """The random inputs of a training batch of ``count`` images."""

    @abstractmethod
    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the loss of a batch.

        Args:
            inputs: images, float32 [B, size, size, 3], -1 to 1; their sources, float32
                [B, sources], one-hot; and what `draw` gave.
        """

    def settle(self, images: Pixels, sources: Floats) -> None:
        """Learn from the training images, once its weights are final, what sampling needs.

        Args:
            images: uint8 [N, size, size, 3].
            sources: float32 [N, sources], one-hot.
        """

    @abstractmethod
    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Make images.

        Args:
            sources: float32 [B, sources], one-hot: one row for each image.
            rng: the samples follow from it.

        Returns:
            float32 [B, size, size, 3], about -1 to 1.
        """

    def noise(self, count: int, rng: np.random.Generator, channels: int = 3) -> Floats:
        """Standard normal images: float32 [count, size, size, channels]."""
        return normal(rng, count, self.size, self.size, channels)


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Standard normal numbers, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def run(model: keras.Model, *inputs: npt.NDArray[np.float32]) -> Floats:
    """What a network gives for one batch, as it predicts (not as it trains)."""
    return np.asarray(model.predict_on_batch(list(inputs)), dtype=np.float32)


def to_floats(images: Pixels) -> Floats:
    """From grey levels, uint8 0 to 255, to float32, -1 to 1."""
    return images.astype(np.float32) / np.float32(127.5) - 1


def to_pixels(images: Floats) -> Pixels:
    """From float32, -1 to 1, to the nearest grey level, uint8; what is beyond is clipped."""
    levels = np.clip(np.rint((images + 1) * np.float32(127.5)), 0, 255)
    return np.asarray(levels, dtype=np.uint8)
