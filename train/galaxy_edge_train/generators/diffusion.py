"""A denoising diffusion model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.generator import Generator
from galaxy_edge_train.generators.trainable import Arrays, run

_WIDTHS = (48, 64, 96)
_PATCH = 2
_FREQUENCIES = 16
#: Evaluations of the network per sample.
STEPS = 50
_STEP = np.float32(np.pi / 2 / STEPS)


class Diffusion(Generator):
    """A small U-Net that removes noise (Ho, Jain & Abbeel 2020, arXiv:2006.11239).

    The network sees the mixture cos(a) image + sin(a) noise and the angle a, from 0 to a quarter
    turn. It predicts v = cos(a) noise - sin(a) image (Salimans & Ho 2022, arXiv:2202.00512). It
    takes patches of 2 x 2 pixels as one pixel, which quarters the arithmetic.
    """

    epochs = 60
    learning_rate = 0.0005

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size, sources)
        self.network = _u_net(size, sources)

    def draw(self, count: int, rng: np.random.Generator) -> Arrays:
        """Noise, float32 [B, size, size, 3], and angles, [B, 1], evenly spaced over the batch."""
        # One random offset and equal steps vary less between batches than independent draws
        # (Kingma et al. 2021, arXiv:2107.00630, appendix I.1).
        turns = (rng.random() + np.arange(count)) / count % 1
        angles = rng.permutation(turns)[:, None] * (np.pi / 2)
        return self.noise(count, rng), angles.astype(np.float32)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Add the mean squared error of the prediction."""
        images, sources, noise, angles = inputs
        cosine, sine = ops.cos(angles)[:, None, None], ops.sin(angles)[:, None, None]
        predicted = self.network([cosine * images + sine * noise, angles, sources])
        self.add_loss(ops.mean(ops.square(predicted - (cosine * noise - sine * images))))
        return predicted

    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Turn noise into images in `STEPS` equal steps."""
        mixture = self.noise(len(sources), rng)
        return self._denoised(mixture, np.full(len(sources), STEPS), sources)

    def renoise(
        self,
        images: Floats,
        steps: npt.NDArray[np.int64],
        sources: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """Add noise to images, and turn the mixtures into images again.

        Args:
            images: float32 [B, size, size, 3], -1 to 1.
            steps: [B], 1 to `STEPS`: how many of the last steps to take; the more steps, the more
                noise and the less is left of the image.
            sources: as for `sample`.
            rng: decides the noise.

        Returns:
            As `sample`.
        """
        angles = _STEP * steps.astype(np.float32)[:, None, None, None]
        noise = self.noise(len(images), rng)
        mixture: Floats = np.cos(angles) * images + np.sin(angles) * noise
        return self._denoised(mixture, steps, sources)

    def _denoised(self, mixture: Floats, steps: npt.NDArray[np.int64], sources: Floats) -> Floats:
        """Take the last steps from noise to images.

        This is DDIM (Song et al. 2021, arXiv:2010.02502).
        """
        for index in range(int(steps.max()), 0, -1):
            angle = index * _STEP
            angles = np.full((len(sources), 1), angle, np.float32)
            v = run(self.network, mixture, angles, sources)
            # Rotate by one step in the plane of image and noise, where v is a quarter turn ahead.
            image = np.cos(angle) * mixture - np.sin(angle) * v
            noise = np.sin(angle) * mixture + np.cos(angle) * v
            # Keep the predicted image in the known range of pixel values.
            image = np.clip(image, -1.1, 1.1)
            rotated = np.cos(angle - _STEP) * image + np.sin(angle - _STEP) * noise
            mixture = np.where((steps >= index)[:, None, None, None], rotated, mixture)
        return mixture


def _u_net(size: int, sources: int) -> keras.Model:
    images = keras.Input((size, size, 3))
    angles, source = keras.Input((1,)), keras.Input((sources,))
    # Fourier features: the network would learn slowly from the angle alone.
    multiples = angles * (2.0 * np.arange(1, _FREQUENCIES + 1, dtype=np.float32))
    condition = layers.Concatenate()([ops.sin(multiples), ops.cos(multiples), source])
    condition = layers.Dense(128, activation="silu")(condition)
    x = layers.Conv2D(_WIDTHS[0], _PATCH, strides=_PATCH)(images)
    kept = []
    for width in _WIDTHS:
        x = _block(x, condition, width)
        kept.append(x)
        if width != _WIDTHS[-1]:
            x = layers.AveragePooling2D(2)(x)
    x = _block(x, condition, _WIDTHS[-1])
    for width in reversed(_WIDTHS):
        x = _block(layers.Concatenate()([x, kept.pop()]), condition, width)
        if width != _WIDTHS[0]:
            x = layers.UpSampling2D(2)(x)
    x = layers.Activation("silu")(layers.GroupNormalization(8)(x))
    x = layers.Conv2DTranspose(3, _PATCH, strides=_PATCH, kernel_initializer="zeros")(x)
    return keras.Model([images, angles, source], x)


def _block(x: Any, condition: Any, width: int) -> Any:
    """A residual block: two convolutions, with the condition added in between (He et al. 2016)."""
    y = layers.Activation("silu")(layers.GroupNormalization(8)(x))
    y = layers.Conv2D(width, 3, padding="same")(y)
    shift = layers.Dense(width)(condition)
    y = y + layers.Reshape((1, 1, width))(shift)
    y = layers.Activation("silu")(layers.GroupNormalization(8)(y))
    # Zero at first, so that every block starts as the identity.
    y = layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(y)
    if x.shape[-1] != width:
        x = layers.Conv2D(width, 1)(x)
    return x + y
