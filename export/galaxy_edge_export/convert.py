"""Convert a network to ONNX in fp32: uint8 image in, score out, with the scaling inside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from galaxy_edge.errors import ModelError
from galaxy_edge.manifest import INPUT_NAME, OUTPUT_NAME
from galaxy_edge_export import graph
from galaxy_edge_export.config import Activation, InputRange
from galaxy_edge_export.traced import Traced

#: The newest operator set that tf2onnx 1.16 and 1.17 write. Quantisation per channel needs at
#: least 13.
OPSET = 18

_ACTIVATIONS: dict[Activation, Any] = {"sigmoid": tf.sigmoid, "softmax": tf.nn.softmax}


def convert(
    traced: Traced,
    input_range: InputRange = "0..1",
    activation: Activation | None = None,
    output: str = OUTPUT_NAME,
) -> onnx.ModelProto:
    """Convert a traced model.

    tf2onnx's ``from_keras`` fails on Keras 3, so the model goes through a ``tf.function``.

    Args:
        traced: the model, for example from `galaxy_edge_export.traced.trace`.
        input_range: the pixel values that the model takes.
        activation: what to apply to the output of the model; None for nothing.
        output: name of the scores in the file.

    Returns:
        An ONNX model that maps ``image``, uint8 [N, size, size, channels] in 0 to 255, to
        scores, float32 [N, 1] or [N, C]. `galaxy_edge_export.grey` gives a model of one channel
        the input of a model file.

    Raises:
        ModelError: an operator of the model cannot be converted, or the converted graph has another
            operator set, or computes shapes at run time.
    """
    shape = (None, traced.size, traced.size, traced.channels)
    signature = [tf.TensorSpec(shape, tf.uint8, name=INPUT_NAME)]

    def scores(image: tf.Tensor) -> dict[str, tf.Tensor]:
        given = traced.function(_scaled(tf.cast(image, tf.float32), input_range))[0]
        if activation is not None:
            given = _ACTIVATIONS[activation](given)
        # Of two probabilities, the file gives the second, P(positive).
        return {output: given[:, 1:] if given.shape[-1] == 2 else given}

    try:
        with _silent():
            converted, _ = tf2onnx.convert.from_function(
                tf.function(scores, input_signature=signature, autograph=False),
                input_signature=signature,
                opset=OPSET,
                custom_op_handlers={"Erfc": (_erfc, [])},
            )
    except Exception as error:  # tf2onnx raises many classes
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"tf2onnx cannot convert the model: {lines[0][:200]}") from error
    _refuse_unknown(converted)
    try:
        tidy = graph.tidy(converted)
        onnx.checker.check_model(tidy, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(
            f"tf2onnx converted the model wrongly: {str(error).strip().splitlines()[0][:200]}"
        ) from error
    _check(tidy)
    return tidy


def _scaled(pixels: tf.Tensor, to: InputRange) -> tf.Tensor:
    match to:
        case "0..1":
            return pixels / 255.0
        case "0..255":
            return pixels
        case "-1..1":
            return pixels / 127.5 - 1.0


def _erfc(context: Any, node: Any, _name: str, _arguments: Any) -> None:
    """Write Erfc, which ONNX lacks, as 1 - Erf. Keras's gelu uses it."""
    shapes, types = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    erf = context.make_node("Erf", [*node.input], shapes=shapes, dtypes=types)
    kind = onnx.helper.tensor_dtype_to_np_dtype(types[0])
    one = context.make_const(f"{node.name}/one", np.array(1, kind))
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=[*node.output], shapes=shapes, dtypes=types,
        name=node.name,
    )  # fmt: skip


@contextmanager
def _silent() -> Iterator[None]:
    """Silence tf2onnx: what it cannot convert is refused with our own message."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _refuse_unknown(model: onnx.ModelProto) -> None:
    """Refuse operators that tf2onnx left as TensorFlow has them."""
    unknown = {
        node.op_type: node.name
        for node in model.graph.node
        if not onnx.defs.has(node.op_type, node.domain)
    }
    if unknown:
        found = ", ".join(
            f"{operator} (in {_layer(name)})" for operator, name in sorted(unknown.items())
        )
        raise ModelError(
            f"the model uses operators that tf2onnx cannot convert to ONNX: {found}; build the "
            "model with other layers or activations there"
        )


def _layer(name: str) -> str:
    """The layer that a node belongs to, from the node's name."""
    parts = [part for part in name.split("/") if part != "PartitionedCall"]
    return "/".join(parts[:-1]) or name


def _check(model: onnx.ModelProto) -> None:
    opsets = [(opset.domain, opset.version) for opset in model.opset_import]
    if opsets != [("", OPSET)]:
        raise ModelError(f"tf2onnx wrote operator sets {opsets}, not only ONNX's own {OPSET}")
    inputs = [item.name for item in model.graph.input]
    if inputs != [INPUT_NAME]:
        raise ModelError(f"the converted graph has the inputs {inputs}, not only {INPUT_NAME}")
    plumbing = sorted({node.op_type for node in model.graph.node} & graph.PLUMBING)
    if plumbing:
        raise ModelError(f"the converted graph computes shapes at run time ({', '.join(plumbing)})")
