"""Convert fp32 to fp16, which halves the file and is the type that GPUs multiply fastest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge.errors import ModelError
from galaxy_edge_export import graph

_SCALING = frozenset({"Cast", "Mul", "Div", "Add", "Sub"})
_LARGEST = 65_504.0
_CONVOLUTION = 4  # number of dimensions of its weights: filters, channels, height, width


def with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store and compute everything between the image scaling and the last layer in fp16.

    Both ends stay in fp32. In fp16, the scaling would round each pixel twice, once for the divisor
    and once for the quotient. The last layer has few units, so fp32 costs little there, and it
    decides the score. An ensemble has several last layers.

    Args:
        model: from `galaxy_edge_export.convert.convert`.

    Returns:
        A model with the same input and output.

    Raises:
        ModelError: an operator of the network does not support fp16, or a weight is too large.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes = [*result.graph.node]
    start = next(index for index, node in enumerate(nodes) if node.op_type not in _SCALING)
    tail = {node.name for node in graph.tail(model)}
    inner = [node for node in nodes[start:] if node.name not in tail]
    reals = {
        item.name: numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == TensorProto.FLOAT
    }
    # A sum inside the network may overflow although no weight does. That shows in the scores.
    if any(np.abs(values).max(initial=0) > _LARGEST for values in reals.values()):
        raise ModelError(
            f"a weight is larger than {_LARGEST:,.0f}, the largest number in fp16; export in float "
            "instead"
        )
    scaled = {name for node in nodes[:start] for name in node.output}
    names = {node.name for node in inner}
    computed = {name for node in inner for name in node.output}
    written: list[onnx.NodeProto] = []
    made: set[str] = set()
    for node in nodes:
        within = node.name in names
        crossing = scaled | reals.keys() if within else computed
        for slot, name in enumerate(node.input):
            if name not in crossing:
                continue
            node.input[slot] = other = f"{name}.{'half' if within else 'float'}"
            if other in made:
                continue
            made.add(other)
            if name in reals:
                result.graph.initializer.append(
                    numpy_helper.from_array(rounded(reals[name]), other)
                )
            else:
                to = TensorProto.FLOAT16 if within else TensorProto.FLOAT
                written.append(helper.make_node("Cast", [name], [other], to=to))
        written.append(node)
    del result.graph.node[:]
    result.graph.node.extend(written)
    result = graph.with_plain_names(graph.without_dead_nodes(result))
    try:
        onnx.checker.check_model(result, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the network cannot be written in fp16: {error}") from error
    return result


def rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Round to fp16, but preserve the sum of each kernel.

    Neighbouring pixels hardly differ, so the result of a kernel is nearly their brightness times
    the sum of its weights. The rounding errors of the weights therefore add up, in the same way at
    every position. To cancel them, the smallest weight of a kernel, which fp16 stores with the
    finest steps, absorbs the errors of the others.

    Args:
        values: weights of a convolution, [filters, channels, height, width]. Arrays of other
            dimensions are rounded to the nearest numbers.
    """
    nearest = values.astype(np.float16)
    if values.ndim != _CONVOLUTION:
        return nearest
    kernels = values.reshape(*values.shape[:2], -1).astype(np.float64)
    result = nearest.reshape(kernels.shape)
    smallest = np.abs(kernels).argmin(axis=-1, keepdims=True)
    error = (kernels - result).sum(axis=-1, keepdims=True)
    corrected = np.take_along_axis(result, smallest, -1) + error
    np.put_along_axis(result, smallest, corrected.astype(np.float16), -1)
    return result.reshape(values.shape)
