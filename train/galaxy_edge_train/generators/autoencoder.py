"""Small autoencoders of many designs, whose reconstructions of real images are fakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.trainable import Arrays, Trainable, normal

#: How a decoder doubles the size of an image. The number is the kernel of a transposed convolution.
UPSAMPLINGS = (
    "nearest", "transposed 2", "bilinear", "transposed 3", "pixel shuffle", "transposed 4",
)  # fmt: skip
LOSSES = ("L1", "L2", "L1 and gradients")
#: The fewest and the most training steps.
STEPS = (100, 300)
#: How quickly a batch normalisation forgets. Keras's default needs more steps than there are.
_MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Design:
    """What is drawn for an autoencoder.

    Attributes:
        upsampling: one of `UPSAMPLINGS`.
        depth: how often the encoder halves the image, 1 to 3.
        width: channels of the outermost layers, 8 to 16; each halving doubles them.
        batch_normalisation: whether a batch normalisation follows each inner convolution.
        latent_noise: standard deviation of the noise that is added to the code; 0 for none.
        loss: one of `LOSSES`.
        steps: training steps, in the range of `STEPS`.
    """

    upsampling: str
    depth: int
    width: int
    batch_normalisation: bool
    latent_noise: float
    loss: str
    steps: int

    @classmethod
    def draw(cls, index: int, rng: np.random.Generator) -> Design:
        """Draw the design of autoencoder number ``index``; the upsamplings take turns."""
        return cls(
            upsampling=UPSAMPLINGS[index % len(UPSAMPLINGS)],
            depth=int(rng.integers(1, 4)),
            width=int(rng.integers(8, 17)),
            batch_normalisation=bool(rng.integers(2)),
            latent_noise=float(rng.integers(2) * rng.uniform(0.05, 0.3)),
            loss=str(rng.choice(LOSSES)),
            steps=int(rng.integers(STEPS[0], STEPS[1] + 1)),
        )


class Autoencoder(Trainable):
    """A convolutional autoencoder (Hinton & Salakhutdinov 2006, Science 313, 504).

    It is far too small and too briefly trained to copy an image. What it gets wrong is what many
    generators get wrong: their decoders have the same layers.

    Args:
        size: height and width of the images, pixels.
        design: its layers and its loss.
    """

    #: With a third of it, the reconstructions are still grey after so few steps.
    learning_rate = 0.01

    def __init__(self, size: int, design: Design) -> None:
        super().__init__(size)
        self.design = design
        self.network = _network(size, design)

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """Noise for the codes: float32 [B, height, width, channels]."""
        return (normal(rng, count, *self.network.inputs[1].shape[1:]),)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the difference between the images and their reconstructions."""
        images, _, noise = inputs
        # Keras passes `training` on only to a `call` that has this parameter.
        made = self.network([images, noise], training=True)
        misfit = made - images
        if self.design.loss == "L2":
            self.add_loss(ops.mean(ops.square(misfit)))
        else:
            self.add_loss(ops.mean(ops.abs(misfit)))
        if self.design.loss == "L1 and gradients":
            self.add_loss(ops.mean(ops.abs(misfit[:, 1:] - misfit[:, :-1])))
            self.add_loss(ops.mean(ops.abs(misfit[:, :, 1:] - misfit[:, :, :-1])))
        return made

    def reconstruct(self, images: Floats, rng: np.random.Generator) -> Floats:
        """Encode and decode images.

        Args:
            images: float32 [B, size, size, 3], -1 to 1.
            rng: decides the noise of the codes.

        Returns:
            float32 [B, size, size, 3], approximately -1 to 1.
        """
        # Not `predict_on_batch`, which would compile each of many networks for a few batches.
        made = self.network([images, *self.draw(len(images), rng)], training=False)
        return np.asarray(ops.convert_to_numpy(made), dtype=np.float32)


def _network(size: int, design: Design) -> keras.Model:
    images = keras.Input((size, size, 3))
    # Black is 0, as in the padding of the convolutions: the sky would have a bright edge otherwise.
    x = (images + 1) / 2
    widths = [design.width << level for level in range(design.depth)]
    for width in widths:
        x = _inner(layers.Conv2D(width, 3, strides=2, padding="same")(x), design)
    noise = keras.Input(x.shape[1:])
    x = x + design.latent_noise * noise
    for width in widths[::-1]:
        x = _inner(_enlarged(x, width, design.upsampling), design)
    x = layers.Conv2D(3, 3, padding="same")(x)
    return keras.Model([images, noise], 2 * x - 1)


def _inner(x: Any, design: Design) -> Any:
    if design.batch_normalisation:
        x = layers.BatchNormalization(momentum=_MOMENTUM)(x)
    return layers.Activation("silu")(x)


def _enlarged(x: Any, width: int, upsampling: str) -> Any:
    """Double the height and width of feature maps, and give them ``width`` channels."""
    kind, _, kernel = upsampling.partition(" ")
    if kind == "transposed":
        return layers.Conv2DTranspose(width, int(kernel), strides=2, padding="same")(x)
    if kind == "pixel":
        # Each pixel has four numbers per channel, which become 2 x 2 pixels (Shi et al. 2016,
        # arXiv:1609.05158).
        height, breadth = x.shape[1:3]
        x = layers.Conv2D(4 * width, 3, padding="same")(x)
        x = layers.Reshape((height, breadth, 2, 2, width))(x)
        x = layers.Permute((1, 3, 2, 4, 5))(x)
        return layers.Reshape((2 * height, 2 * breadth, width))(x)
    x = layers.UpSampling2D(2, interpolation=kind)(x)
    return layers.Conv2D(width, 3, padding="same")(x)
