"""The documented network, and the state of its random generators."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers

if TYPE_CHECKING:
    from galaxy_edge_train.config import NetworkConfig


def build(config: NetworkConfig, size: int, classes: int = 2) -> keras.Model:
    """Build the documented network, uncompiled.

    Conv2D 32 3x3 relu, MaxPool 2x2, Conv2D 64 3x3 relu, MaxPool 2x2, Flatten, Dense 128 relu,
    Dropout 0.5, Dense 1 sigmoid. The default configuration has 10,636,481 parameters. For three or
    more classes the last layer is Dense C softmax.

    Args:
        config: the sizes of the layers.
        size: height and width of the images, pixels.
        classes: number of classes.

    Returns:
        A model from float32 [N, size, size, 3] in 0 to 1 to float32 [N, 1], P(positive), for two
        classes, and to [N, C], one probability per class, for more.
    """
    stack: list[keras.layers.Layer] = [keras.Input((size, size, 3))]
    for filters in config.filters:
        stack.append(layers.Conv2D(filters, config.kernel_size, activation="relu"))
        stack.append(layers.MaxPooling2D(config.pool_size))
    stack += [
        layers.Flatten(),
        layers.Dense(config.dense_units, activation="relu"),
        # Without a seed, Keras on PyTorch uses torch's global generator for dropout, which no
        # checkpoint stores. This draws the seed as Keras would, from the generator that
        # `keras.utils.set_random_seed` seeds.
        layers.Dropout(config.dropout, seed=random.randint(1, 10**9)),  # noqa: S311
        layers.Dense(1, activation="sigmoid")
        if classes == 2
        else layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(stack, name="galaxy_edge")


def keras_in_use() -> str:
    """Backend and version of Keras. The same seed gives different numbers with different ones."""
    return f"{keras.backend.backend()}, Keras {keras.__version__}"


def generator_states(model: keras.Model) -> tuple[tuple[int, ...], ...]:
    """The states of the layers' random generators, in layer order."""
    return tuple(
        tuple(int(number) for number in keras.ops.convert_to_numpy(generator.state))
        for generator in _generators(model)
    )


def restore_generators(model: keras.Model, states: tuple[tuple[int, ...], ...]) -> None:
    """Set the layers' random generators to earlier states, so that dropout continues exactly."""
    for generator, state in zip(_generators(model), states, strict=True):
        generator.state.assign(np.array(state, dtype=generator.state.dtype))


def _generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    # A Dropout with rate 0 has no generator.
    return [
        layer.seed_generator
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0
    ]
