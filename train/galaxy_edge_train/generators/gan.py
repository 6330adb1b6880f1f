"""A generative adversarial network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.generator import Arrays, Generator, normal, run

_LATENT = 96
_WIDTHS = (32, 64, 128, 192)
#: What the critic's squared slope costs it, and the step over which the slope is measured (the
#: standard deviation of each value of the image).
_PENALTY = 1.0
_STEP = 0.02


class Gan(Generator):
    """A convolutional GAN whose critic compares a real image with a fake one.

    Both players' loss is relativistic (Jolicoeur-Martineau 2018, arXiv:1807.00734): how much more
    real the real one seems. The critic's slope at real and at fake images costs it (Mescheder et
    al. 2018, arXiv:1801.04406; both together as in Huang et al. 2025, arXiv:2501.05441). It is
    measured as a difference over a small step in a random direction (Lin et al. 2025,
    arXiv:2501.08316), which does without gradients of gradients, so that every backend trains it.
    Both players move in the same step: the critic's loss sees the fakes as constants, the
    generator's sees the critic's weights as constants.
    """

    epochs = 120
    learning_rate = 0.0005
    beta_1 = 0.0

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size, sources)
        self.generator = _generator(size, sources)
        self.critic = _critic(size, sources)

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """Latent variables, float32 [B, latent], grain, [B, size, size, 1], and directions.

        In the directions, [B, size, size, 3], the critic's slope is measured.
        """
        return (
            normal(rng, count, _LATENT),
            self.noise(count, rng, channels=1),
            self.noise(count, rng),
        )

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add both players' losses."""
        images, sources, latent, grain, directions = inputs
        fakes = self.generator([latent, sources, grain])
        # Read once for both players, by the multiplication. No update of these weights depends on
        # the generator's loss, and TensorFlow sometimes had it use them after their update.
        weights = [1.0 * weight for weight in self.critic.trainable_variables]
        held = [ops.stop_gradient(weight) for weight in weights]

        def opinion(weights: list[Any], images: Any) -> Any:
            return self.critic.stateless_call(weights, [], [images, sources])[0]

        made, step = ops.stop_gradient(fakes), _STEP * directions
        on_real, on_fake = opinion(weights, images), opinion(weights, made)
        rises = (
            opinion(weights, images + step) - on_real,
            opinion(weights, made + step) - on_fake,
        )
        slope = sum(ops.square(rise / _STEP) for rise in rises)
        self.add_loss(ops.mean(ops.softplus(on_fake - on_real) + _PENALTY / 2 * slope))
        self.add_loss(ops.mean(ops.softplus(ops.stop_gradient(on_real) - opinion(held, fakes))))
        return fakes

    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Generate from standard normal latent variables and grain."""
        latent, grain, _ = self.draw(len(sources), rng)
        return run(self.generator, latent, sources, grain)


def _generator(size: int, sources: int) -> keras.Model:
    latent, source = keras.Input((_LATENT,)), keras.Input((sources,))
    grain = keras.Input((size, size, 1))
    side = size >> (len(_WIDTHS) - 1)
    x = layers.Concatenate()([latent, source])
    x = layers.Dense(side * side * _WIDTHS[-1])(x)
    x = layers.Reshape((side, side, _WIDTHS[-1]))(x)
    for width in _WIDTHS[-2::-1]:
        x = layers.Activation("relu")(layers.GroupNormalization(8)(x))
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x)
    x = layers.Concatenate()([layers.LeakyReLU(0.2)(x), grain])
    x = layers.Conv2D(_WIDTHS[0], 3, padding="same")(x)
    x = layers.LeakyReLU(0.2)(x)
    # Wider than the range of pixels, so that black, which real images hold, is within reach.
    x = 1.1 * ops.tanh(layers.Conv2D(3, 3, padding="same")(x))
    return keras.Model([latent, source, grain], x)


def _critic(size: int, sources: int) -> keras.Model:
    images, source = keras.Input((size, size, 3)), keras.Input((sources,))
    x = images
    for width in _WIDTHS:
        x = layers.Conv2D(width, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Flatten()(x)
    opinion = layers.Dense(1)(x)
    # Projection of the features on their source (Miyato & Koyama 2018, arXiv:1802.05637).
    direction = layers.Dense(x.shape[-1], use_bias=False)(source)
    return keras.Model([images, source], opinion + ops.sum(x * direction, axis=-1, keepdims=True))
