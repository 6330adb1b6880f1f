"""The end that all networks have in common: dropout and the last layer."""

from __future__ import annotations

import random

from keras import layers


def head(dropout: float, classes: int) -> list[layers.Layer]:
    """Dropout, then one sigmoid unit for two classes or a softmax for more.

    Args:
        dropout: fraction of the features that is dropped.
        classes: number of classes.
    """
    return [
        # Without a seed, Keras on PyTorch uses torch's global generator for dropout, which no
        # checkpoint stores. This draws the seed as Keras would, from the generator that
        # `keras.utils.set_random_seed` seeds.
        layers.Dropout(dropout, seed=random.randint(1, 10**9)),  # noqa: S311
        layers.Dense(1, activation="sigmoid")
        if classes == 2
        else layers.Dense(classes, activation="softmax"),
    ]
