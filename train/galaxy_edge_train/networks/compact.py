"""The compact network, for small cutouts."""

from __future__ import annotations

import keras
from keras import layers

from galaxy_edge_train.networks.head import head

#: Channels and stride of each convolution. (Provisional.)
CONVOLUTIONS = ((16, 1), (24, 2), (32, 1), (48, 2), (64, 1), (64, 2))
DROPOUT = 0.2


def build(size: int, classes: int = 2) -> keras.Model:
    """Build the compact network, uncompiled.

    Six 3x3 convolutions, each with batch normalisation and relu; the mean of each channel over the
    image; dropout; and the last layer. Export folds the normalisation into the convolutions.

    Args:
        size: height and width of the images, pixels.
        classes: number of classes.

    Returns:
        A model as of `galaxy_edge_train.networks.build`.
    """
    stack: list[layers.Layer] = [keras.Input((size, size, 3))]
    for filters, stride in CONVOLUTIONS:
        stack += [
            layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False),
            # An epoch of a small data set has few batches; Keras's momentum of 0.99 would not
            # follow them.
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
        ]
    stack += [layers.GlobalAveragePooling2D(), *head(DROPOUT, classes)]
    return keras.Sequential(stack, name="galaxy_edge_compact")
