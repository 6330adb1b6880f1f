"""Quantise fp32 to static int8 (QDQ): per channel, calibrated on images, with corrected biases."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph
from galaxy_edge_export.bias import with_corrected_biases, with_own_biases
from galaxy_edge_export.nibbles import with_rounded_weights

_BATCH = 32


def quantize(
    model: onnx.ModelProto,
    calibration: Pixels,
    *,
    reduce_range: bool = True,
    dense_bits: int = 8,
) -> onnx.ModelProto:
    """Quantise a converted model.

    Weights are int8 with one scale per output channel, by default in 7 bits (``reduce_range``):
    x86 processors without VNNI add two products of uint8 and int8 in 16 bits, which saturate, so
    weights of the full range overflow there without a warning. Activations are uint8. The last
    layer has few units and stays in float: this costs little, and the layer decides the score. An
    ensemble has several.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
        calibration: uint8 [N, size, size, channels].
        reduce_range: store weights in 7 bits.
        dense_bits: 4 rounds the weights of dense layers to integers from -7 to 7.

    Returns:
        A model with the same input and output.
    """
    with tempfile.TemporaryDirectory() as folder, _without_advice():
        path = Path(folder, "int8.onnx")
        quantize_static(
            with_own_biases(model),  # always a copy, because the quantiser empties its argument
            path,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "MaxPool", "Transpose", "Reshape", "Gemm"],
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=last_layers(model),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": _image_scale(model)},
        )
        quantized = onnx.load(path)
    fp32 = with_own_biases(model)
    if dense_bits == 4:
        quantized = with_rounded_weights(quantized, fp32)
    return with_corrected_biases(quantized, fp32, calibration)


def last_layers(model: onnx.ModelProto) -> list[str]:
    """The names of the dense layers that no other layer reads, which stay in float."""
    return [node.name for node in graph.tail(model) if node.op_type == "Gemm"]


def _image_scale(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """Fix the scale of the image so that each of its bytes is one step of the scale.

    The calibration would derive the scale from the darkest and the brightest pixel it sees, and
    clip the others. With the factor that scaled the image, such as 1/255, the integers of the first
    layer are the bytes of the image (`integer.with_integer_input`), or differ by a constant if the
    image is shifted, too.
    """
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    readers = graph.readers(model)
    one: Any = np.float32(1)
    scale, offset, tensor = one, one * 0, INPUT_NAME
    while len(readers.get(tensor, [])) == 1:
        node = readers[tensor][0]
        tensor = node.output[0]
        if node.op_type == "Transpose":
            zero = np.clip(np.round(-offset / scale), 0, 255).astype(np.uint8)
            return {tensor: [{"scale": np.array(scale), "zero_point": np.array(zero)}]}
        if node.op_type == "Cast":
            continue
        value = constants.get(node.input[1]) if len(node.input) == 2 else None
        if value is None or value.size != 1:
            break
        number = value.reshape(())[()]
        if node.op_type == "Mul" and number > 0:
            scale, offset = scale * number, offset * number
        elif node.op_type in ("Add", "Sub"):
            offset = offset + number if node.op_type == "Add" else offset - number
        else:
            break
    return {}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Pixels) -> None:
        self._batches = iter(np.array_split(images, -(-len(images) // _BATCH)))

    def get_next(self) -> dict[str, Pixels] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: batch}


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence the advice to preprocess the graph first: our converted graph does not need it."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
