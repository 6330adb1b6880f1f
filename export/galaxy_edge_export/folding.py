"""Make one operator of a layer: product, bias and batch normalisation.

A Gemm computes the same sums as a product and an addition. When quantised, the separate pair rounds
twice and passes through memory twice; a Gemm adds the bias to its 32-bit sums. A product without a
bias would not be quantised at all, so it becomes a Gemm with a bias of zero.

In inference, batch normalisation multiplies and shifts each channel, so it fits into the weights
and the bias of the layer before it.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper, shape_inference

_Constants = dict[str, npt.NDArray[np.float32]]


def with_gemms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn each product with a constant matrix into a Gemm, with its bias if it has one."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {item.name: item for item in result.graph.initializer}
    readers = _readers(result)
    ranks = _ranks(result)
    makers = {name: node for node in result.graph.node for name in node.output}

    def is_dense(node: onnx.NodeProto | None) -> bool:
        return (
            node is not None
            and node.op_type == "MatMul"
            and node.input[1] in constants
            and len(constants[node.input[1]].dims) == 2
            and constants[node.input[1]].data_type == onnx.TensorProto.FLOAT
            and ranks.get(node.input[0], 2) == 2
        )

    for node in result.graph.node:
        if node.op_type != "Add":
            continue
        for summand, bias in (node.input, reversed(node.input)):
            product = makers.get(summand)
            if (
                product is not None
                and is_dense(product)
                and readers[summand] == 1
                and bias in constants
                and len(constants[bias].dims) == 1
            ):
                node.op_type = "Gemm"
                _replace(node.input, [*product.input, bias])
                break
    for node in result.graph.node:
        if is_dense(node):
            weights = constants[node.input[1]]
            zeros = np.zeros(weights.dims[1], np.float32)
            name = f"{node.output[0]}/bias"
            result.graph.initializer.append(numpy_helper.from_array(zeros, name))
            node.op_type = "Gemm"
            node.input.append(name)
    return result


def with_folded_scales(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold what multiplies and shifts the channels of a layer into its weights and its bias."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = _floats(result)
    readers = _readers(result)
    layers: dict[str, onnx.NodeProto] = {}
    kept = []
    for node in result.graph.node:
        layer = next((layers[name] for name in node.input if name in layers), None)
        step = None if layer is None else _step(node, layer, constants)
        if layer is None or step is None or readers[layer.output[0]] != 1:
            kept.append(node)
            if _is_layer(node, constants):
                layers[node.output[0]] = node
            continue
        del layers[layer.output[0]]
        _fold(result, layer, *step, constants)
        layer.output[0] = node.output[0]
        layers[layer.output[0]] = layer
    _replace(result.graph.node, kept)
    return result


def _is_layer(node: onnx.NodeProto, constants: _Constants) -> bool:
    return (
        node.op_type in ("Conv", "Gemm")
        and all(name in constants for name in node.input[1:])
        and not any(item.name in ("alpha", "beta", "transB") for item in node.attribute)
    )


def _step(  # noqa: PLR0911 - one for each operator
    node: onnx.NodeProto, layer: onnx.NodeProto, constants: _Constants
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """Factor and shift of each channel, float64 [C], if a node does only that."""
    if node.op_type == "BatchNormalization" and all(name in constants for name in node.input[1:]):
        scale, offset, mean, variance = (constants[n].astype(np.float64) for n in node.input[1:])
        epsilon = next((item.f for item in node.attribute if item.name == "epsilon"), 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        return factor, offset - mean * factor
    if node.op_type not in ("Mul", "Div", "Add", "Sub") or len(node.input) != 2:
        return None
    first = node.input[0] == layer.output[0]
    value = constants.get(node.input[1 if first else 0])
    weights = constants[layer.input[1]]
    channels = weights.shape[0 if layer.op_type == "Conv" else 1]
    if value is None:
        return None
    per_channel = (channels, *(1,) * (weights.ndim - 2)) if layer.op_type == "Conv" else (channels,)
    shape = (1,) * (1 + len(per_channel) - value.ndim) + value.shape
    # A constant of more dimensions than the result would add dimensions to it.
    if len(shape) > 1 + len(per_channel) or (value.size != 1 and shape != (1, *per_channel)):
        return None
    each = np.broadcast_to(value.ravel(), channels).astype(np.float64)
    one, zero = np.ones(channels), np.zeros(channels)
    match node.op_type:
        case "Mul":
            return each, zero
        case "Div" if first and np.all(each != 0):
            return 1 / each, zero
        case "Add":
            return one, each
        case "Sub":
            return (one, -each) if first else (-one, each)
    return None


def _fold(
    model: onnx.ModelProto,
    layer: onnx.NodeProto,
    factor: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
    constants: _Constants,
) -> None:
    """Change a layer so that it computes ``factor`` times its results, plus ``shift``."""
    weights = constants[layer.input[1]].astype(np.float64)
    convolution = layer.op_type == "Conv"
    along = (-1, *(1,) * (weights.ndim - 1)) if convolution else (1, -1)
    bias = constants[layer.input[2]].astype(np.float64) if len(layer.input) > 2 else 0.0
    # New constants: another layer may share the old ones.
    name = f"{layer.output[0]}/folded"
    values = {
        f"{name}_weight": weights * factor.reshape(along),
        f"{name}_bias": bias * factor + shift,
    }
    _replace(layer.input, [layer.input[0], *values])
    for key, value in values.items():
        constants[key] = value.astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(constants[key], key))


def _readers(model: onnx.ModelProto) -> Counter[str]:
    """Number of readers of each tensor; an output of the graph counts."""
    counts = Counter(name for node in model.graph.node for name in node.input)
    counts.update(item.name for item in model.graph.output)
    return counts


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    known = shape_inference.infer_shapes(model).graph
    return {
        item.name: len(item.type.tensor_type.shape.dim)
        for item in (*known.value_info, *known.input, *known.output)
        if item.type.tensor_type.HasField("shape")
    }


def _floats(model: onnx.ModelProto) -> _Constants:
    return {
        item.name: numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT
    }


def _replace(field, items) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a protobuf field
    kept = list(items)
    del field[:]
    field.extend(kept)
