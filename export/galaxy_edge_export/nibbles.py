"""Store dense weights in four bits, which halves the file, and unpack them when it is loaded.

A dense layer on an image holds nearly all the weights of a small network. In four bits, with one
scale per unit, two of them fit into a byte of the file. A few standard operators on constants
unpack them, and a runtime folds these operators away when it loads the file. From then on, the
layer is the 8-bit layer with the same speed, and its scores are the same in any batch.

ONNX's own type for this, INT4 (opset 21), is not used: tract 0.23 cannot read it.
`tools/other-runtimes` scores a file in several runtimes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_LARGEST = 7
_ZERO = 8
_LOW_BITS = 0x0F
_HIGH_BITS = 0xF0
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
        model: a QDQ model. Weights that are not int8, do not fit into four bits, or have an odd
            number of inputs are left alone.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    stored = {item.name: item for item in result.graph.initializer}
    added: list[onnx.NodeProto] = []
    for weight in _dense_weights(result):
        if weight not in stored:
            continue
        values = numpy_helper.to_array(stored[weight])
        odd = len(values) % 2
        if odd or values.dtype != np.int8 or np.abs(values.astype(int)).max() > _LARGEST:
            continue
        nodes, constants = _packed(weight, values)
        added += nodes
        result.graph.initializer.remove(stored[weight])
        result.graph.initializer.extend(constants)
    nodes = [*added, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def with_whole_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Undo `with_packed_weights`, also the first packing, which OpenVINO misread.

    The first packing shifted without masking and left the subtraction of 8 to DequantizeLinear.

    Args:
        model: a QDQ model, packed or not.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    stored = {item.name: item for item in result.graph.initializer}
    for dequantize in [node for node in result.graph.node if node.op_type == "DequantizeLinear"]:
        weight, zero = dequantize.input[0], dequantize.input[2]
        if f"{weight}.pairs" not in stored:
            continue
        pairs = numpy_helper.to_array(stored[f"{weight}.pairs"])
        values = np.concatenate([pairs & _LOW_BITS, pairs >> 4]).astype(np.int8) - np.int8(_ZERO)
        zeros = np.zeros_like(numpy_helper.to_array(stored[zero]))
        stored[zero].CopyFrom(numpy_helper.from_array(zeros, zero))
        for item in [item for name, item in stored.items() if name.startswith(f"{weight}.")]:
            result.graph.initializer.remove(item)
        for node in [node for node in result.graph.node if node.name.startswith(f"{weight}.")]:
            result.graph.node.remove(node)
        result.graph.initializer.append(numpy_helper.from_array(values, weight))
    return result


def _dense_weights(model: onnx.ModelProto) -> list[str]:
    """Names of the quantised weights of dense layers, each once, even if two layers share it."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    dense = [made_by.get(node.input[1]) for node in model.graph.node if node.op_type == "Gemm"]
    found = [node for node in dense if node is not None and node.op_type == "DequantizeLinear"]
    return list(dict.fromkeys(node.input[0] for node in found))


def _packed(
    weight: str, values: npt.NDArray[np.int8]
) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """The nodes that unpack a weight, and the constants that they unpack it from.

    The high bits are masked before they are shifted. OpenVINO shifts by dividing, and does not
    always round: a quotient with a remainder stays a fraction. With a mask, nothing remains.
    """
    half = len(values) // 2
    codes = (values + _ZERO).astype(np.uint8)
    constants = {
        f"{weight}.pairs": codes[:half] | codes[half:] << 4,
        f"{weight}.low_bits": np.array([_LOW_BITS], np.uint8),
        f"{weight}.high_bits": np.array([_HIGH_BITS], np.uint8),
        f"{weight}.four": np.array([4], np.uint8),
        f"{weight}.eight": np.array([_ZERO], np.int8),
    }
    pairs, low_bits, high_bits, four, eight = constants
    low, masked, high, both, code = (
        f"{weight}.{part}" for part in ("low", "masked", "high", "both", "code")
    )
    nodes = [
        helper.make_node("BitwiseAnd", [pairs, low_bits], [low], low),
        helper.make_node("BitwiseAnd", [pairs, high_bits], [masked], masked),
        helper.make_node("BitShift", [masked, four], [high], high, direction="RIGHT"),
        helper.make_node("Concat", [low, high], [both], both, axis=0),
        helper.make_node("Cast", [both], [code], code, to=TensorProto.INT8),
        helper.make_node("Sub", [code, eight], [weight], f"{weight}.sub"),
    ]
    return nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()]
