"""A variational autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.generator import Generator
from galaxy_edge_train.generators.trainable import Arrays, normal, run, to_floats

_LATENT = 96
#: Images encoded at once.
_ENCODE_BATCH = 256
_WIDTHS = (32, 64, 96, 128)


class Vae(Generator):
    """A convolutional VAE (Kingma & Welling 2014, arXiv:1312.6114).

    The variance of the pixels is the one that fits each batch best (Rybkin, Daniilidis & Levine
    2021, arXiv:2006.13202), so that the two terms of the loss need no weight between them.

    Samples are drawn from one normal distribution of latent variables per source, fitted to the
    training images (Ghosh et al. 2020, arXiv:1903.12436). The standard normal distribution also
    covers regions that no image was encoded to. Samples are the means of the decoder, so they are
    smooth, as with every VAE.
    """

    epochs = 120
    learning_rate = 0.0005

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size, sources)
        self.encoder = _encoder(size, sources)
        self.decoder = _decoder(size, sources)
        #: Of each source: mean of the latent variables, and Cholesky factor of their covariance.
        self._distributions: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """Noise for the latent variables: float32 [B, latent]."""
        return (normal(rng, count, _LATENT),)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the negative evidence lower bound, per pixel value."""
        images, sources, noise = inputs
        mean, log_variance = ops.split(self.encoder([images, sources]), 2, axis=-1)
        latent = mean + ops.exp(0.5 * log_variance) * noise
        pixels = self.decoder([latent, sources])
        misfit = ops.log(ops.mean(ops.square(images - pixels)) + 1e-6) / 2
        divergence = (ops.square(mean) + ops.exp(log_variance) - log_variance - 1) / 2
        values = self.size * self.size * 3
        self.add_loss(misfit + ops.mean(ops.sum(divergence, axis=-1)) / values)
        return pixels

    def prepare(self, images: Pixels, sources: Floats) -> None:
        """Fit the distribution of the latent variables of each source."""
        self._distributions = []
        for source in np.eye(self.sources, dtype=np.float32):
            chosen = images[sources @ source == 1]
            parts = [
                run(self.encoder, to_floats(part), np.tile(source, (len(part), 1)))
                for part in np.array_split(chosen, -(-len(chosen) // _ENCODE_BATCH))
            ]
            mean, log_variance = np.split(np.concatenate(parts).astype(np.float64), 2, axis=-1)
            scatter = (mean - mean.mean(axis=0)).T @ (mean - mean.mean(axis=0)) / len(mean)
            spread = scatter + np.diag(np.exp(log_variance).mean(axis=0))
            self._distributions.append((mean.mean(axis=0), np.linalg.cholesky(spread)))

    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Decode latent variables drawn from the distribution of each source."""
        latent = normal(rng, len(sources), _LATENT)
        for row, source in enumerate(sources.argmax(axis=1)):
            centre, spread = self._distributions[source]
            latent[row] = centre + spread @ latent[row]
        return run(self.decoder, latent, sources)


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
    return keras.Model([latent, source], layers.Conv2D(3, 3, padding="same")(x))
