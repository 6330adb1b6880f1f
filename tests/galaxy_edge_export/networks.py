"""Small Keras models whose export has gone wrong in one way or another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from galaxy_edge.inputs.images import Pixels
from tests.conftest import galaxy

SIZE = 12
IMAGES: Pixels = np.stack([galaxy(seed, SIZE, real=seed % 2 == 0) for seed in range(40)])


def image() -> keras.KerasTensor:
    return keras.Input((SIZE, SIZE, 3))


def saved(model: keras.Model, path: Path) -> keras.Model:
    """Save a model, with biases and statistics that are not all zero."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in values])
        elif len(values) == 2:
            layer.set_weights([values[0], rng.normal(size=values[1].shape) / 20])
    model.save(path)
    return model


def scaling(first: layers.Layer | None = None, *, last: str | None = "sigmoid") -> keras.Model:
    """A model that begins with one layer, if given, and ends in one unit."""
    keras.utils.set_random_seed(1)
    tensor = start = image()
    if first is not None:
        tensor = first(tensor)
    return keras.Model(start, tail(tensor, last))


def tail(tensor: keras.KerasTensor, last: str | None = "sigmoid") -> keras.KerasTensor:
    for layer in (
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(1, activation=last),
    ):
        tensor = layer(tensor)
    return tensor


def dense(*head: layers.Layer) -> keras.Model:
    """A convolution and the given layers, then one unit."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            *head,
            layers.Dense(1, activation="sigmoid"),
        ]
    )


class Module(tf.Module):
    """A classifier without Keras: a dense layer after a given first step."""

    def __init__(self, first: Callable[[tf.Tensor], tf.Tensor] = lambda x: x / 255.0) -> None:
        super().__init__()
        self.first = first
        rng = np.random.default_rng(0)
        self.weights = tf.Variable(rng.normal(size=(SIZE * SIZE * 3, 1)).astype(np.float32) / 20)

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(self.first(pixels), (-1, SIZE * SIZE * 3))
        return tf.sigmoid(flat @ self.weights)

    def save(self, folder: Path, kind: tf.DType = tf.float32, batch: int | None = None) -> Path:
        image = tf.TensorSpec((batch, SIZE, SIZE, 3), kind)
        self.call = tf.function(self.__call__).get_concrete_function(image)
        tf.saved_model.save(self, str(folder), signatures={"scores": self.call})
        return folder
