"""Store dense weights in four bits, which halves the file, and unpack them when it is loaded.

A dense layer on an image holds nearly all the weights of a small network. In four bits, with one
scale per unit, two of them fit into a byte of the file. A few standard operators on constants
unpack them, and a runtime folds these operators away when it loads the file. From then on, the
layer is the 8-bit layer with the same speed, and its scores are the same in any batch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_LARGEST = 7
_ZERO = 8
#: Fractions of the largest weight to try as the end of the range.
_CLIPS = np.linspace(0.2, 1.0, 33)


def rounded(
    weights: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Round to integers from -7 to 7, with the scale per unit that minimises the squared error.

    This clips a few large weights, so that the many small ones stay distinguishable.

    Args:
        weights: [inputs, units].

    Returns:
        int8 [inputs, units] and float32 [units].
    """
    largest = np.maximum(np.abs(weights).max(axis=0), np.finfo(np.float32).tiny * 2**20)
    best = np.full(weights.shape[1], np.inf)
    scales = largest / _LARGEST
    for clip in _CLIPS:
        scale = largest * np.float32(clip / _LARGEST)
        error = ((_integers(weights, scale) * scale - weights) ** 2).sum(axis=0, dtype=np.float64)
        scales = np.where(error < best, scale, scales)
        best = np.minimum(error, best)
    scales = scales.astype(np.float32)
    return _integers(weights, scales).astype(np.int8), scales


def _integers(
    weights: npt.NDArray[np.float32], scales: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    return np.asarray(np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST))


def with_rounded_weights(quantized: onnx.ModelProto, fp32: onnx.ModelProto) -> onnx.ModelProto:
    """Round the weights of the quantised dense layers to four bits.

    Args:
        quantized: a QDQ model whose nodes have the same names as in ``fp32``.
        fp32: the model that was quantised.
    """
    result = onnx.ModelProto()
    result.CopyFrom(quantized)
    stored = {item.name: item for item in result.graph.initializer}
    reals = {item.name: numpy_helper.to_array(item) for item in fp32.graph.initializer}
    for node in fp32.graph.node:
        if node.op_type != "Gemm" or f"{node.input[1]}_quantized" not in stored:
            continue
        weight, bias = node.input[1], f"{node.input[2]}_quantized"
        integers, scales = rounded(reals[weight])
        before = numpy_helper.to_array(stored[f"{weight}_scale"])
        # A bias counts in units of the input scale times the weight scale.
        units = numpy_helper.to_array(stored[f"{bias}_scale"]) * (scales / before)
        values = np.rint(reals[node.input[2]] / units).astype(np.int32)
        for name, array in (
            (f"{weight}_quantized", integers), (f"{weight}_scale", scales),
            (bias, values), (f"{bias}_scale", units.astype(np.float32)),
        ):  # fmt: skip
            stored[name].CopyFrom(numpy_helper.from_array(array, name))
    return result


def with_packed_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store two dense weights of four bits in each byte.

    The low bits hold the first half of the rows, the high bits the second half. Unpacking gives
    back the same integers, so no score changes.

    Args:
        model: a QDQ model. Weights that do not fit into four bits, or that have an odd number of
            inputs, are left alone.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    stored = {item.name: item for item in result.graph.initializer}
    made_by = {name: node for node in result.graph.node for name in node.output}
    added: list[onnx.NodeProto] = []
    for gemm in result.graph.node:
        dequantize = made_by.get(gemm.input[1]) if gemm.op_type == "Gemm" else None
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            continue
        weight, _, zero = dequantize.input
        values = numpy_helper.to_array(stored[weight])
        half, odd = divmod(len(values), 2)
        if odd or np.abs(values.astype(int)).max() > _LARGEST:
            continue
        codes = (values + _ZERO).astype(np.uint8)
        constants = {
            f"{weight}.pairs": codes[:half] | codes[half:] << 4,
            f"{weight}.low_bits": np.array([15], np.uint8),
            f"{weight}.four": np.array([4], np.uint8),
        }
        pairs, low_bits, four = constants
        low, high, both = (f"{weight}.{part}" for part in ("low", "high", "both"))
        added += [
            helper.make_node("BitwiseAnd", [pairs, low_bits], [low], low),
            helper.make_node("BitShift", [pairs, four], [high], high, direction="RIGHT"),
            helper.make_node("Concat", [low, high], [both], both, axis=0),
            helper.make_node("Cast", [both], [weight], f"{weight}.cast", to=TensorProto.INT8),
        ]
        shape = numpy_helper.to_array(stored[zero]).shape
        stored[zero].CopyFrom(numpy_helper.from_array(np.full(shape, _ZERO, np.int8), zero))
        result.graph.initializer.remove(stored[weight])
        result.graph.initializer.extend(
            numpy_helper.from_array(value, name) for name, value in constants.items()
        )
    nodes = [*added, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result
