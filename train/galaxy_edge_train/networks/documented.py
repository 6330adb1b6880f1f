"""The documented network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from galaxy_edge_train.networks.head import head

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
        *head(config.dropout, classes),
    ]
    return keras.Sequential(stack, name="galaxy_edge")
