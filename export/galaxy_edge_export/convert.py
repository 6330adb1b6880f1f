"""Convert Keras to ONNX in fp32: uint8 image in, score out, with the rescaling inside."""

from __future__ import annotations

import keras
import onnx
import tensorflow as tf
import tf2onnx

from galaxy_edge.errors import ModelError
from galaxy_edge.manifest import INPUT_NAME, OUTPUT_NAME
from galaxy_edge_export import graph
from galaxy_edge_export.trained import rescales_itself

#: The newest operator set that tf2onnx 1.16 and 1.17 write. Quantisation per channel needs at
#: least 13.
OPSET = 18


def convert(model: keras.Model, size: int) -> onnx.ModelProto:
    """Convert a Keras model.

    tf2onnx's ``from_keras`` fails on Keras 3, so the model goes through a ``tf.function``.

    Args:
        model: maps float32 [N, size, size, 3] to [N, 1].
        size: height and width of the images, pixels.

    Returns:
        An ONNX model that maps ``image``, uint8 [N, size, size, 3] in 0 to 255, to ``score``,
        float32 [N, 1].

    Raises:
        ModelError: the converted graph has another operator set, or computes shapes at run time.
    """
    divisor = 1.0 if rescales_itself(model) else 255.0
    signature = [tf.TensorSpec((None, size, size, 3), tf.uint8, name=INPUT_NAME)]

    def scores(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT_NAME: model(tf.cast(image, tf.float32) / divisor, training=False)}

    converted, _ = tf2onnx.convert.from_function(
        tf.function(scores, input_signature=signature, autograph=False),
        input_signature=signature,
        opset=OPSET,
    )
    tidy = graph.tidy(converted)
    _check(tidy)
    return tidy


def _check(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    opsets = [(opset.domain, opset.version) for opset in model.opset_import]
    if opsets != [("", OPSET)]:
        raise ModelError(f"tf2onnx wrote operator sets {opsets}, not only ONNX's own {OPSET}")
    plumbing = sorted({node.op_type for node in model.graph.node} & graph.PLUMBING)
    if plumbing:
        raise ModelError(f"the converted graph computes shapes at run time ({', '.join(plumbing)})")
