"""Channels and units that are zero on every image, taken out.

A filter, or a dense unit, whose result the ReLU always cuts off gives zeros, which the next layer
multiplies with weights image after image. Without it, and without those weights, the file is
smaller and faster and every score the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from galaxy_edge.images import Pixels
from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph

_BATCH = 32
_COLOURS = 3
#: Bytes that one integer instruction multiplies and adds up.
_TOGETHER = 4
#: Columns of one AMX tile.
_TILE = 16
#: Operators of a network that is one chain and whose channels can be followed through it.
_CHAIN = frozenset(
    {"Cast", "Mul", "Transpose", "Conv", "Relu", "MaxPool", "Reshape", "Gemm", "Sigmoid"}
)

#: For each layer with a ReLU, by name: bool [C], whether a channel is ever positive. Nothing for a
#: network that is no such chain.
Alive = dict[str, npt.NDArray[np.bool_]]


def provably_alive(model: onnx.ModelProto) -> Alive:
    """Which channels some image might make positive, by interval arithmetic.

    Pixels lie in 0 to 1, and what a ReLU leaves is not negative; a sum is then at most that of
    the positive weights, each times the largest value of its input.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
    """
    if not _is_chain(model):
        return {}
    constants = _constants(model)
    rectified = _rectified(model)
    largest = np.ones(_COLOURS)
    alive: Alive = {}
    for layer in _layers(model):
        weights = _by_channel(layer, constants[layer.input[1]], len(largest))
        bias = constants[layer.input[2]] if len(layer.input) > 2 else 0.0
        bound = np.einsum("oik,i->o", np.maximum(weights, 0.0), largest) + bias
        largest = np.maximum(bound, 0.0)
        if layer.name in rectified:
            alive[layer.name] = bound > 0
    return alive


def alive_on(model: onnx.ModelProto, images: Pixels) -> Alive:
    """Which channels any of some images makes positive.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
        images: uint8 [N, size, size, 3].
    """
    if not _is_chain(model):
        return {}
    rectified = _rectified(model)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in rectified.values()
    )
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    alive: Alive = {}
    for batch in np.array_split(images, -(-len(images) // _BATCH)):
        values = session.run([*rectified.values()], {INPUT_NAME: batch})
        for name, value in zip(rectified, values, strict=True):
            seen = (value > 0).any(axis=(0, *range(2, value.ndim)))
            alive[name] = seen | alive.get(name, np.zeros_like(seen))
    return alive


def in_blocks(alive: Alive) -> Alive:
    """Keep as many of the others as integer kernels take together: a multiple of four channels.

    They multiply four bytes at once, and a layer of 22 channels takes longer than one of 24. And
    17 to 31 become 32: onnxruntime 1.21 to 1.24 multiply matrices of so many columns wrongly on
    processors with AMX (https://github.com/microsoft/onnxruntime/pull/27671).
    """
    return {name: _filled_up(mask) for name, mask in alive.items()}


def without_channels(model: onnx.ModelProto, alive: Alive) -> onnx.ModelProto:
    """Take out every channel that is not alive, and the weights that read it.

    A layer keeps one at least, and all of them if nothing is said about it.
    """
    if not alive:
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = _constants(result)
    kept, before = np.arange(_COLOURS), _COLOURS
    for layer in _layers(result):
        weights = _reading(layer, constants[layer.input[1]], kept, before)
        axis = 0 if layer.op_type == "Conv" else 1
        before = weights.shape[axis]
        kept = np.flatnonzero(alive.get(layer.name, np.ones(before, bool)))
        if not len(kept):
            kept = np.arange(1)
        _put(result, layer, 1, np.take(weights, kept, axis))
        if len(layer.input) > 2:
            _put(result, layer, 2, np.take(constants[layer.input[2]], kept))
        for node in result.graph.node:
            if node.op_type == "Reshape" and layer.input[0] == node.output[0]:
                _put(result, node, 1, np.array([-1, len(weights)], np.int64))
    return graph.with_plain_names(graph.without_dead_nodes(result))


def _filled_up(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    count = -(-int(mask.sum()) // _TOGETHER) * _TOGETHER
    if _TILE < count < 2 * _TILE:
        count = 2 * _TILE
    spare = np.flatnonzero(~mask)[: count - int(mask.sum())]
    return mask | np.isin(np.arange(len(mask)), spare)


def _is_chain(model: onnx.ModelProto) -> bool:
    nodes = [*model.graph.node]
    if any(node.op_type not in _CHAIN for node in nodes):
        return False
    flattened = [nodes[place - 1] for place, node in enumerate(nodes) if node.op_type == "Reshape"]
    # A dense layer's weights are told apart by channel only if the channels come last.
    return all(
        node.op_type == "Transpose"
        and helper.get_attribute_value(node.attribute[0]) == [0, 2, 3, 1]
        for node in flattened
    )


def _layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in {"Conv", "Gemm"}]


def _rectified(model: onnx.ModelProto) -> dict[str, str]:
    """The name of each layer with a ReLU, and that of the ReLU's result."""
    made_by = {node.output[0]: node.name for node in _layers(model)}
    return {
        made_by[node.input[0]]: node.output[0]
        for node in model.graph.node
        if node.op_type == "Relu" and node.input[0] in made_by
    }


def _constants(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.float32]]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def _by_channel(
    layer: onnx.NodeProto, weights: npt.NDArray[np.float32], inputs: int
) -> npt.NDArray[np.float32]:
    """Weights as [outputs, input channels, places]."""
    if layer.op_type == "Conv":
        return weights.reshape(len(weights), inputs, -1)
    # A flattened image has its channels last.
    return weights.T.reshape(weights.shape[1], -1, inputs).swapaxes(1, 2)


def _reading(
    layer: onnx.NodeProto, weights: npt.NDArray[np.float32], kept: npt.NDArray[np.intp], of: int
) -> npt.NDArray[np.float32]:
    """The weights that read the input channels kept, of as many as there were."""
    if layer.op_type == "Conv":
        return weights[:, kept]
    outputs = weights.shape[1]
    return weights.reshape(-1, of, outputs)[:, kept].reshape(-1, outputs)


def _put(
    model: onnx.ModelProto, node: onnx.NodeProto, place: int, values: npt.NDArray[np.generic]
) -> None:
    """Give a node a constant of its own."""
    name = f"{node.name}.input{place}"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    node.input[place] = name
