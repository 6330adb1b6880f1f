"""A variational autoencoder that learns the noise of its images with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.generator import Arrays, Generator, normal, run

_LATENT = 96
_WIDTHS = (32, 64, 96, 128)


class Vae(Generator):
    """A convolutional VAE (Kingma & Welling 2014, arXiv:1312.6114).

    Its decoder gives the mean and the standard deviation of every pixel (Rybkin, Daniilidis &
    Levine 2021, arXiv:2006.13202), so that no weight between the two terms of the loss has to be
    chosen, and samples carry noise as images do.
    """

    epochs = 120
    learning_rate = 0.0005

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size, sources)
        self.encoder = _encoder(size, sources)
        self.decoder = _decoder(size, sources)

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """The noise of the latent variables: float32 [B, latent]."""
        return (normal(rng, count, _LATENT),)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the negative evidence lower bound, per pixel value."""
        images, sources, noise = inputs
        mean, log_variance = ops.split(self.encoder([images, sources]), 2, axis=-1)
        latent = mean + ops.exp(0.5 * log_variance) * noise
        pixels, log_deviation = ops.split(self.decoder([latent, sources]), 2, axis=-1)
        misfit = ops.square((images - pixels) * ops.exp(-log_deviation)) / 2 + log_deviation
        divergence = (ops.square(mean) + ops.exp(log_variance) - log_variance - 1) / 2
        values = self.size * self.size * 3
        self.add_loss(ops.mean(misfit) + ops.mean(ops.sum(divergence, axis=-1)) / values)
        return pixels

    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Decode standard normal latent variables, and draw each pixel."""
        decoded = run(self.decoder, normal(rng, len(sources), _LATENT), sources)
        mean, log_deviation = np.split(decoded, 2, axis=-1)
        drawn = mean + np.exp(log_deviation) * self.noise(len(sources), rng)
        return np.asarray(drawn, dtype=np.float32)


def _encoder(size: int, sources: int) -> keras.Model:
    images, source = keras.Input((size, size, 3)), keras.Input((sources,))
    planes = layers.Reshape((1, 1, sources))(source)
    planes = layers.UpSampling2D(size)(planes)
    x = layers.Concatenate()([images, planes])
    for width in _WIDTHS:
        x = layers.Conv2D(width, 4, strides=2, padding="same")(x)
        x = layers.Activation("silu")(x)
    x = layers.Flatten()(x)
    return keras.Model([images, source], layers.Dense(2 * _LATENT)(x))


def _decoder(size: int, sources: int) -> keras.Model:
    latent, source = keras.Input((_LATENT,)), keras.Input((sources,))
    side = size >> len(_WIDTHS)
    x = layers.Concatenate()([latent, source])
    x = layers.Dense(side * side * _WIDTHS[-1])(x)
    x = layers.Reshape((side, side, _WIDTHS[-1]))(x)
    for width in _WIDTHS[::-1]:
        x = layers.Activation("silu")(layers.GroupNormalization(8)(x))
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x)
    x = layers.Activation("silu")(x)
    x = layers.Conv2D(6, 3, padding="same")(x)
    # Deviations from a fifth of a grey level (which rounding hides) to the whole range.
    bounded = layers.Rescaling([1.0] * 3 + [3.2] * 3, offset=[0.0] * 3 + [-3.2] * 3)
    mean = x[..., :3]
    deviation = ops.tanh(x[..., 3:])
    return keras.Model([latent, source], bounded(layers.Concatenate()([mean, deviation])))
