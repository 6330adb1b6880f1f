"""A generative adversarial network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.generator import Generator
from galaxy_edge_train.generators.trainable import Arrays, normal, run

_LATENT = 96
_WIDTHS = (32, 64, 128, 192)
#: Weight of the critic's squared slope in its loss.
_PENALTY = 1.0
#: The slope is measured over a random step. This is the standard deviation of each of its values.
_STEP = 0.02


class Gan(Generator):
    """A convolutional GAN whose critic compares a real image with a fake one.

    The losses of both networks are relativistic (Jolicoeur-Martineau 2018, arXiv:1807.00734): they
    depend on how much more real the real image seems than the fake. The critic's loss has a penalty
    on its slope at real and at fake images (Mescheder et al. 2018, arXiv:1801.04406; for the
    combination see Huang et al. 2025, arXiv:2501.05441). The slope is measured as a difference over
    a small step in a random direction (Lin et al. 2025, arXiv:2501.08316). This needs no gradients
    of gradients, so that every backend can train it.

    Both networks are updated in the same step. The critic's loss treats the fakes as constants; the
    generator's loss treats the critic's weights as constants.
    """

    epochs = 120
    learning_rate = 0.0005
    beta_1 = 0.0

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size, sources)
        self.generator = _generator(size, sources)
        self.critic = _critic(size, sources)

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """Latent variables, grain, and directions in which to measure the critic's slope.

        Returns:
            float32 [B, latent], [B, size, size, 1] and [B, size, size, 3]. The grain is an image of
            noise from which the generator makes fine detail.
        """
        return (
            normal(rng, count, _LATENT),
            self.noise(count, rng, channels=1),
            self.noise(count, rng),
        )

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the losses of both networks."""
        images, sources, latent, grain, directions = inputs
        fakes = self.generator([latent, sources, grain])
        # The multiplication reads the weights once, for both losses. The generator's loss does not
        # update these weights, so TensorFlow sometimes read them for it after their update.
        weights = [1.0 * weight for weight in self.critic.trainable_variables]
        fixed_weights = [ops.stop_gradient(weight) for weight in weights]

        def score(weights: list[Any], images: Any) -> Any:
            return self.critic.stateless_call(weights, [], [images, sources])[0]

        fixed_fakes, step = ops.stop_gradient(fakes), _STEP * directions
        real_score, fake_score = score(weights, images), score(weights, fixed_fakes)
        rises = (
            score(weights, images + step) - real_score,
            score(weights, fixed_fakes + step) - fake_score,
        )
        slope = sum(ops.square(rise / _STEP) for rise in rises)
        self.add_loss(ops.mean(ops.softplus(fake_score - real_score) + _PENALTY / 2 * slope))
        advantage = ops.stop_gradient(real_score) - score(fixed_weights, fakes)
        self.add_loss(ops.mean(ops.softplus(advantage)))
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
    # Wider than the range of pixel values, so that black, which real images contain, is reachable.
    x = 1.1 * ops.tanh(layers.Conv2D(3, 3, padding="same")(x))
    return keras.Model([latent, source, grain], x)


def _critic(size: int, sources: int) -> keras.Model:
    images, source = keras.Input((size, size, 3)), keras.Input((sources,))
    x = images
    for width in _WIDTHS:
        x = layers.Conv2D(width, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Flatten()(x)
    score = layers.Dense(1)(x)
    # Projection of the features onto their source (Miyato & Koyama 2018, arXiv:1802.05637).
    direction = layers.Dense(x.shape[-1], use_bias=False)(source)
    return keras.Model([images, source], score + ops.sum(x * direction, axis=-1, keepdims=True))
