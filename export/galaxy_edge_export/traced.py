"""A model as one TensorFlow function without variables, which can be read and converted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from galaxy_edge.errors import ModelError


@dataclass(frozen=True, slots=True)
class Traced:
    """The computation of a model.

    Attributes:
        size: height and width of the images, pixels.
        channels: 3 for RGB, 1 for grey.
        function: TensorFlow function from float32 [N, size, size, channels], in the range that the
            model takes, to a list of float32 [N, 1], or [N, C].
        last: name of the activation of the model's last layer, "" if that has none, or is unknown.
    """

    size: int
    channels: int
    function: Any
    last: str = ""

    @property
    def image(self) -> Any:
        """The tensor that the model takes."""
        return self.function.inputs[0]

    @property
    def output(self) -> Any:
        """The tensor that the model gives."""
        return self.function.outputs[0]


def trace(model: keras.Model, size: int, channels: int = 3) -> Traced:
    """Trace a Keras model in inference mode, and replace its variables by constants.

    Args:
        model: maps float32 [N, size, size, channels] to [N, 1] or [N, C].
        size: height and width of the images, pixels.
        channels: 3 for RGB, 1 for grey.

    Raises:
        ModelError: the model cannot be called.
    """
    function = freeze(lambda pixels: model(pixels, training=False), size, channels)
    return Traced(size, channels, function, _last_activation(model))


def freeze(call: Callable[[tf.Tensor], tf.Tensor], size: int, channels: int) -> Any:
    """Make one TensorFlow function of a model, with constants for its variables.

    Some layers, for example Normalization, keep constants outside their variables. tf2onnx would
    make inputs of them, so they, too, become constants here.

    Args:
        call: the model, on float32 [N, size, size, channels].
        size: height and width of the images, pixels.
        channels: 3 for RGB, 1 for grey.

    Raises:
        ModelError: the model cannot be called.
    """
    signature = [tf.TensorSpec((None, size, size, channels), tf.float32, name="pixels")]

    def scores(pixels: tf.Tensor) -> tf.Tensor:
        return tf.cast(call(pixels), tf.float32)

    try:
        # Keras warns of layers that a model should not have; we refuse those that are wrong.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            concrete = tf.function(
                scores, input_signature=signature, autograph=False
            ).get_concrete_function()
        return convert_variables_to_constants_v2(
            concrete, lower_control_flow=False, aggressive_inlining=True
        )
    except Exception as error:  # Keras and TensorFlow raise many classes
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"the model cannot be called on an image: {lines[0][:200]}") from error


def _last_activation(model: keras.Model) -> str:
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        return _last_activation(last)
    return str(getattr(getattr(last, "activation", None), "__name__", ""))
