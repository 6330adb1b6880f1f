"""Channels and units that say nothing, taken out.

A filter, or a dense unit, whose result the ReLU always cuts off gives zeros, which the next layer
multiplies with weights image after image. Without it, and without those weights, the file is
smaller and faster and every score the same.

Integers lose more. All channels of a layer share one scale, so that one which varies by less than
the rounding of the others is lost in it: what is left of it is its mean, which fits into the next
layer's bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph
from galaxy_edge_export.bias import with_own_biases

_BATCH = 32
_COLOURS = 3
#: Bytes that one integer instruction multiplies and adds up.
_TOGETHER = 4
#: Bytes that a max pool compares at once, at least.
_COMPARED = 8
#: Steps of a uint8.
_STEPS = 255
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
    the positive weights, each times the largest value of its input. Of a network that scales its
    pixels otherwise, or has a layer without a ReLU before its last, nothing is said.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
    """
    if not _is_chain(model):
        return {}
    constants = _constants(model)
    rectified = _rectified(model)
    layers = _layers(model)
    if not (_scales_to_one(model) and {layer.name for layer in layers[:-1]} <= rectified.keys()):
        return {}
    largest = np.ones(_COLOURS)
    alive: Alive = {}
    for layer in layers:
        weights = _by_channel(layer, constants[layer.input[1]], len(largest))
        bias = constants[layer.input[2]] if len(layer.input) > 2 else 0.0
        bound = np.einsum("oik,i->o", np.maximum(weights, 0.0), largest) + bias
        largest = np.maximum(bound, 0.0)
        if layer.name in rectified:
            alive[layer.name] = bound > 0
    return alive


@dataclass(frozen=True, slots=True)
class Activity:
    """What a layer tells the next one, over some images.

    Attributes:
        mean: of each number that the next layer reads, float64: [C], or [places * C] where that
            layer is dense.
        deviation: standard deviation of each channel over images and places, float64 [C].
        largest: of each channel, float64 [C].
    """

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    largest: npt.NDArray[np.float64]

    @property
    def heard(self) -> npt.NDArray[np.bool_]:
        """Whether a channel varies by more than the rounding to uint8, step / sqrt(12)."""
        return np.asarray(self.deviation > self.largest.max() / _STEPS / math.sqrt(12))


def activity(model: onnx.ModelProto, images: Pixels) -> dict[str, Activity]:
    """Measure every layer with a ReLU, by name; nothing for a network that is no chain.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
        images: uint8 [N, size, size, 3].
    """
    if not _is_chain(model):
        return {}
    rectified = _rectified(model)
    layers = _layers(model)
    read = {
        layer.name: following.input[0]
        for layer, following in pairwise(layers)
        if layer.name in rectified
    }
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in read.values())
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shapes = {item.name: item.dims for item in model.graph.initializer}
    widths = {layer.name: shapes[layer.input[1]][_outputs(layer)] for layer in layers}
    sums = {name: np.zeros(1) for name in read}
    squares, largest = dict(sums), dict(sums)
    for batch in np.array_split(images, -(-len(images) // _BATCH)):
        values = session.run([*read.values()], {INPUT_NAME: batch})
        for name, value in zip(read, values, strict=True):
            # [N, C, H, W], or [N, H * W * C] flattened, or [N, C].
            last = np.moveaxis(value, 1, -1).reshape(-1, widths[name])
            features = value.mean(axis=tuple(range(2, value.ndim)), dtype=np.float64)
            sums[name] = sums[name] + features.sum(axis=0)
            squares[name] = squares[name] + (last.astype(np.float64) ** 2).mean(axis=0) * len(batch)
            largest[name] = np.maximum(largest[name], last.max(axis=0))
    found = {}
    for name, total in sums.items():
        mean = total / len(images)
        channels = mean.reshape(-1, widths[name]).mean(axis=0)
        variance = np.maximum(squares[name] / len(images) - channels**2, 0)
        found[name] = Activity(mean, np.sqrt(variance), largest[name])
    return found


def in_blocks(active: Mapping[str, Activity]) -> Alive:
    """The channels that are heard, and of the others the strongest, in numbers that kernels like.

    Integer kernels multiply four bytes at once, and copy what does not come in fours: a layer of
    22 channels takes longer than one of 24. The first layer's channels come in eights, for the pool
    that compares them where they lie takes twice as long over 22 as over 24. And 17 to 31 become
    32: onnxruntime 1.21 to 1.24 multiply matrices of so many columns wrongly on processors with AMX
    (https://github.com/microsoft/onnxruntime/pull/27671).
    """
    blocks = [_COMPARED, *[_TOGETHER] * len(active)]
    return {
        name: _filled_up(layer, block)
        for (name, layer), block in zip(active.items(), blocks, strict=False)
    }


def without_channels(
    model: onnx.ModelProto, alive: Alive, active: Mapping[str, Activity] = MappingProxyType({})
) -> onnx.ModelProto:
    """Take out every channel that is not alive, and the weights that read it.

    A layer keeps one at least, and all of them if nothing is said about it.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
        alive: the channels to keep.
        active: of layers whose other channels are not zero: their means go into the next bias.
    """
    if not alive:
        return model
    result = with_own_biases(model) if active else onnx.ModelProto()
    if not active:
        result.CopyFrom(model)
    constants = _constants(result)
    kept, before = np.arange(_COLOURS), _COLOURS
    told: Activity | None = None
    for layer in _layers(result):
        full = constants[layer.input[1]]
        shift = 0.0 if told is None else _shift(layer, full, kept, before, told)
        weights = _reading(layer, full, kept, before)
        axis = _outputs(layer)
        before = weights.shape[axis]
        kept = np.flatnonzero(alive.get(layer.name, np.ones(before, bool)))
        if not len(kept):
            kept = np.arange(1)
        _put(result, layer, 1, np.take(weights, kept, axis))
        if len(layer.input) > 2:
            bias = (constants[layer.input[2]] + shift).astype(np.float32)
            _put(result, layer, 2, np.take(bias, kept))
        for node in result.graph.node:
            if node.op_type == "Reshape" and layer.input[0] == node.output[0]:
                _put(result, node, 1, np.array([-1, len(weights)], np.int64))
        told = active.get(layer.name)
    return graph.with_plain_names(graph.without_dead_nodes(result))


def _shift(
    layer: onnx.NodeProto,
    weights: npt.NDArray[np.float32],
    kept: npt.NDArray[np.intp],
    of: int,
    told: Activity,
) -> npt.NDArray[np.float64]:
    """What the channels that go added to a layer's sums, on average: [C]."""
    gone = told.mean.reshape(-1, of).copy()
    gone[:, kept] = 0
    if layer.op_type == "Conv":
        return np.asarray(weights.sum(axis=(2, 3)) @ gone[0])
    return np.asarray(gone.ravel() @ weights)


def _filled_up(layer: Activity, block: int) -> npt.NDArray[np.bool_]:
    count = -(-int(layer.heard.sum()) // block) * block
    if _TILE < count < 2 * _TILE:
        count = 2 * _TILE
    # What is heard varies more than what is not, and so comes first.
    strongest = np.argsort(-layer.deviation, kind="stable")[:count]
    return np.isin(np.arange(len(layer.deviation)), strongest)


def _outputs(layer: onnx.NodeProto) -> int:
    """The axis of a layer's weights that counts what it gives."""
    return 0 if layer.op_type == "Conv" else 1


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


def _scales_to_one(model: onnx.ModelProto) -> bool:
    """Whether the image's 0 to 255 enter the first layer as 0 to 1."""
    constants = _constants(model)
    factors = [
        constants[name]
        for node in model.graph.node
        if node.op_type == "Mul"
        for name in node.input
        if name in constants
    ]
    return len(factors) == 1 and bool(np.all(np.abs(factors[0]) <= (1 + 1e-6) / 255))


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
