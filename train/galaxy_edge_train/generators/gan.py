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
#: Spectral norm of each of the critic's kernels. With 1, samples were still blots after 4,000
#: steps.
BOUND = 2.0


class Gan(Generator):
    """A convolutional GAN: hinge loss, and a critic of bounded slope.

    The spectral norms of the critic's kernels are kept within a limit (Miyato et al. 2018,
    arXiv:1802.05957; here as a constraint after each step), which does without gradients of
    gradients, so that every backend trains it. Both players move in the same step: the critic's
    loss sees the fakes as constants, the generator's sees the critic's weights as constants.
    """

    epochs = 120
    beta_1 = 0.5

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size, sources)
        self.generator = _generator(size, sources)
        self.critic = _critic(size, sources)

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """Latent variables, float32 [B, latent], and a plane of grain, [B, size, size, 1]."""
        return normal(rng, count, _LATENT), self.noise(count, rng, channels=1)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add both players' losses."""
        images, sources, latent, grain = inputs
        fakes = self.generator([latent, sources, grain])
        held = [ops.stop_gradient(weight) for weight in self.critic.trainable_variables]
        opinion, _ = self.critic.stateless_call(held, [], [fakes, sources])
        on_real = self.critic([images, sources])
        on_fake = self.critic([ops.stop_gradient(fakes), sources])
        critic = ops.mean(ops.relu(1 - on_real)) + ops.mean(ops.relu(1 + on_fake))
        self.add_loss(critic - ops.mean(opinion))
        return fakes

    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Generate from standard normal latent variables and grain."""
        latent, grain = self.draw(len(sources), rng)
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
    bound = SpectralBound(BOUND)
    x = images
    for width in _WIDTHS:
        x = layers.Conv2D(width, 4, strides=2, padding="same", kernel_constraint=bound)(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Flatten()(x)
    opinion = layers.Dense(1, kernel_constraint=bound)(x)
    # Projection of the features on their source (Miyato & Koyama 2018, arXiv:1802.05637).
    direction = layers.Dense(x.shape[-1], use_bias=False, kernel_constraint=bound)(source)
    return keras.Model([images, source], opinion + ops.sum(x * direction, axis=-1, keepdims=True))


class SpectralBound(keras.constraints.Constraint):  # type: ignore[misc]
    """Keeps a kernel, as a matrix of inputs by outputs, below a spectral norm.

    Args:
        limit: the norm.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, w: Any) -> Any:
        """Scale the kernel down if power iteration finds it too large."""
        matrix = ops.reshape(w, (-1, w.shape[-1]))
        # The sum of the columns is no worse a start than chance, and the same in every process.
        v = ops.sum(matrix, axis=-1, keepdims=True) + 1e-3
        for _ in range(4):
            u = ops.normalize(ops.matmul(ops.transpose(matrix), v), axis=0)
            v = ops.matmul(matrix, u)
            norm = ops.norm(v)
            v = v / (norm + 1e-12)
        return w / ops.maximum(norm / self.limit, 1.0)
