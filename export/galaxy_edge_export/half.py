"""fp32 -> fp16: half the file, in the numbers that GPUs multiply fastest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from galaxy_edge.errors import ModelError
from galaxy_edge_export import graph

_LAYERS = frozenset({"Conv", "Gemm", "MatMul"})
_SCALING = frozenset({"Cast", "Mul", "Div", "Add", "Sub"})
_LARGEST = 65_504.0
_CONVOLUTION = 4  # dimensions of its weights: filters, channels, height, width


def with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store and compute in fp16 what lies between the image's scaling and the last layer.

    Both ends stay in float: fp16 would round each pixel twice, once for the divisor and once for
    the quotient, and the last layer, one unit, costs nothing and decides the score.

    Args:
        model: from `galaxy_edge_export.convert.convert`.

    Returns:
        A model of the same input and output.

    Raises:
        ModelError: an operator of the network takes no fp16, or a weight is too large for it.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes = [*result.graph.node]
    start = next(place for place, node in enumerate(nodes) if node.op_type not in _SCALING)
    end = max((place for place, node in enumerate(nodes) if node.op_type in _LAYERS), default=start)
    reals = {
        item.name: numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == TensorProto.FLOAT
    }
    # Sums in between may be larger than any weight: those show in the scores.
    if any(np.abs(values).max(initial=0) > _LARGEST for values in reals.values()):
        raise ModelError(f"a weight is beyond {_LARGEST:,.0f}, the largest number of fp16")
    scaled = {name for node in nodes[:start] for name in node.output}
    computed = {name for node in nodes[start:end] for name in node.output}
    written: list[onnx.NodeProto] = []
    made: set[str] = set()
    for place, node in enumerate(nodes):
        within = start <= place < end
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
    """Round to fp16, and keep the sum of each kernel.

    Next to each other, pixels hardly differ: what a kernel gives is nearly their brightness times
    its sum, so that errors of its weights add up, alike at every place. The least of its weights,
    which fp16 holds most finely, takes up what the others lost.

    Args:
        values: weights of a convolution, [filters, channels, height, width], or anything else,
            which is rounded as it is.
    """
    nearest = values.astype(np.float16)
    if values.ndim != _CONVOLUTION:
        return nearest
    kernels = values.reshape(*values.shape[:2], -1).astype(np.float64)
    result = nearest.reshape(kernels.shape)
    least = np.abs(kernels).argmin(axis=-1, keepdims=True)
    lost = (kernels - result).sum(axis=-1, keepdims=True)
    taken_up = np.take_along_axis(result, least, -1) + lost
    np.put_along_axis(result, least, taken_up.astype(np.float16), -1)
    return result.reshape(values.shape)
