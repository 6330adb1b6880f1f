"""Remove channels and dense units that contribute nothing to the score.

If the ReLU always cuts off the result of a filter or of a dense unit, the result is zero, and the
next layer multiplies these zeros with weights for every image. Without the channel and without
those weights, the file is smaller and faster, and every score stays the same.

If the network is quantised, more channels can go. All channels of a layer share one scale, so the
variation of a channel is lost if it is smaller than the rounding to integers. Only the mean of
such a channel is left, and it fits into the bias of the next layer.
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
#: Number of bytes that one integer instruction multiplies and adds up.
_MULTIPLIED_AT_ONCE = 4
#: Smallest number of bytes that a max pool compares at once.
_COMPARED_AT_ONCE = 8
#: Number of steps of a uint8.
_STEPS = 255
#: Number of columns of one AMX tile.
_TILE = 16
#: Operators through which channels can be traced. A network of these alone is a chain.
_CHAIN = frozenset(
    {"Cast", "Mul", "Transpose", "Conv", "Relu", "MaxPool", "Reshape", "Gemm", "Sigmoid", "Softmax"}
)

#: A mask of channels, bool [C], for each layer with a ReLU, by the layer's name. Empty for a
#: network that is not a chain.
Masks = dict[str, npt.NDArray[np.bool_]]


def provably_alive(model: onnx.ModelProto) -> Masks:
    """Find the channels that some image might make positive, by interval arithmetic.

    Pixels lie in 0 to 1, and the result of a ReLU is not negative. A sum is therefore at most the
    bias and the sum of the positive weights, each times the largest value of its input. These
    bounds do not hold if the network scales its pixels differently, or if a layer before the last
    has no ReLU; the result is then empty.

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
    largest = np.ones(graph.colours(model))
    alive: Masks = {}
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
    """Statistics of the results of one layer over a set of images.

    Attributes:
        mean: mean of each number that the next layer reads, float64: [C], or [positions * C] if
            that layer is dense.
        deviation: standard deviation of each channel over images and positions, float64 [C].
        largest: largest value of each channel, float64 [C].
    """

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    largest: npt.NDArray[np.float64]

    @property
    def exceeds_rounding(self) -> npt.NDArray[np.bool_]:
        """Whether each channel varies by more than the rounding to uint8, step / sqrt(12)."""
        return np.asarray(self.deviation > self.largest.max() / _STEPS / math.sqrt(12))


def activity(model: onnx.ModelProto, images: Pixels) -> dict[str, Activity]:
    """Measure the activity of every layer with a ReLU.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
        images: uint8 [N, size, size, channels].

    Returns:
        Layer name to activity; empty for a network that is not a chain or has no ReLU.
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
    if not read:
        return {}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in read.values())
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shapes = {item.name: item.dims for item in model.graph.initializer}
    widths = {layer.name: shapes[layer.input[1]][_output_axis(layer)] for layer in layers}
    sums = {name: np.zeros(1) for name in read}
    squares, largest = dict(sums), dict(sums)
    for batch in np.array_split(images, -(-len(images) // _BATCH)):
        values = session.run([*read.values()], {INPUT_NAME: batch})
        for name, value in zip(read, values, strict=True):
            # The shape is [N, C, H, W], flattened [N, H * W * C], or [N, C].
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


def channels_to_keep(active: Mapping[str, Activity]) -> Masks:
    """Choose the channels to keep, in numbers that suit the integer kernels.

    All channels that exceed the rounding are kept. The strongest of the others fill up the number,
    as far as the layer has others:

    - To a multiple of four: kernels multiply four bytes at once, and copy the channels if their
      number is not such a multiple. A layer of 22 channels takes longer than one of 24.
    - To a multiple of eight in the first layer, because its pool compares channels in place and
      takes twice as long over 22 as over 24.
    - To 32 from 17 to 31, because onnxruntime 1.21 to 1.24 multiply matrices of 17 to 31 columns
      wrongly on processors with AMX (https://github.com/microsoft/onnxruntime/pull/27671).
    """
    blocks = [_COMPARED_AT_ONCE, *[_MULTIPLIED_AT_ONCE] * len(active)]
    return {
        name: _strongest(layer, block)
        for (name, layer), block in zip(active.items(), blocks, strict=False)
    }


def without_channels(
    model: onnx.ModelProto, keep: Masks, active: Mapping[str, Activity] = MappingProxyType({})
) -> onnx.ModelProto:
    """Remove all channels but those to keep, and the weights that read the removed ones.

    A removed channel must be zero, or vary so little that its mean can replace it; the mean then
    goes into the bias of the next layer. The next layer computes the same sums from fewer numbers:
    exactly if the removed channels are zero, and on average if their means replace them.

    A layer keeps at least one channel. A layer without a mask keeps all channels.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
        keep: the channels to keep.
        active: the activity of the layers whose removed channels are not zero; it gives the means.
    """
    if not keep:
        return model
    result = with_own_biases(model) if active else onnx.ModelProto()
    if not active:
        result.CopyFrom(model)
    constants = _constants(result)
    before = graph.colours(model)
    kept = np.arange(before)
    previous: Activity | None = None
    for layer in _layers(result):
        full = constants[layer.input[1]]
        shift = 0.0 if previous is None else _shift(layer, full, kept, before, previous)
        weights = _weights_of_inputs(layer, full, kept, before)
        axis = _output_axis(layer)
        before = weights.shape[axis]
        kept = np.flatnonzero(keep.get(layer.name, np.ones(before, bool)))
        if not len(kept):
            kept = np.arange(1)
        _set_constant(result, layer, 1, np.take(weights, kept, axis))
        if len(layer.input) > 2:
            bias = (constants[layer.input[2]] + shift).astype(np.float32)
            _set_constant(result, layer, 2, np.take(bias, kept))
        for node in result.graph.node:
            if node.op_type == "Reshape" and layer.input[0] == node.output[0]:
                _set_constant(result, node, 1, np.array([-1, len(weights)], np.int64))
        previous = active.get(layer.name)
    return graph.with_plain_names(graph.without_dead_nodes(result))


def _shift(
    layer: onnx.NodeProto,
    weights: npt.NDArray[np.float32],
    kept: npt.NDArray[np.intp],
    before: int,
    previous: Activity,
) -> npt.NDArray[np.float64]:
    """Mean of what the removed input channels added to the sums of a layer: [C].

    Args:
        layer: the layer that read them.
        weights: all its weights.
        kept: indices of the input channels that are kept.
        before: number of input channels before the removal.
        previous: activity of the layer that computed them.
    """
    removed = previous.mean.reshape(-1, before).copy()
    removed[:, kept] = 0
    if layer.op_type == "Conv":
        return np.asarray(weights.sum(axis=(2, 3)) @ removed[0])
    return np.asarray(removed.ravel() @ weights)


def _strongest(layer: Activity, block: int) -> npt.NDArray[np.bool_]:
    """Mask of the strongest channels: all that exceed the rounding, filled up to whole blocks."""
    count = -(-int(layer.exceeds_rounding.sum()) // block) * block
    if _TILE < count < 2 * _TILE:
        count = 2 * _TILE
    # The channels that exceed the rounding vary most, so they come first.
    strongest = np.argsort(-layer.deviation, kind="stable")[:count]
    return np.isin(np.arange(len(layer.deviation)), strongest)


def _output_axis(layer: onnx.NodeProto) -> int:
    """The axis of a layer's weights that runs over its output channels."""
    return 0 if layer.op_type == "Conv" else 1


def _is_chain(model: onnx.ModelProto) -> bool:
    nodes = [*model.graph.node]
    if any(node.op_type not in _CHAIN for node in nodes):
        return False
    sizes = {item.name: math.prod(item.dims) for item in model.graph.initializer}
    tensor = INPUT_NAME
    for node in nodes:
        computed = [name for name in node.input if name not in sizes]
        # Each node reads the one before. A factor for each channel would not fit fewer channels,
        # and in a convolution in groups a filter reads only some channels.
        by_channel = node.op_type == "Mul" and any(sizes.get(name, 1) != 1 for name in node.input)
        grouped = any(item.name == "group" and item.i != 1 for item in node.attribute)
        if computed != [tensor] or by_channel or grouped:
            return False
        tensor = node.output[0]
    flattened = [nodes[index - 1] for index, node in enumerate(nodes) if node.op_type == "Reshape"]
    # The weights of a dense layer can be assigned to channels only if the channels come last.
    return all(
        node.op_type == "Transpose"
        and helper.get_attribute_value(node.attribute[0]) == [0, 2, 3, 1]
        for node in flattened
    )


def _layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in {"Conv", "Gemm"}]


def _rectified(model: onnx.ModelProto) -> dict[str, str]:
    """Map the name of each layer with a ReLU to the name of the ReLU's result."""
    made_by = {node.output[0]: node.name for node in _layers(model)}
    return {
        made_by[node.input[0]]: node.output[0]
        for node in model.graph.node
        if node.op_type == "Relu" and node.input[0] in made_by
    }


def _scales_to_one(model: onnx.ModelProto) -> bool:
    """Whether pixels of 0 to 255 enter the first layer of a chain as 0 to 1."""
    constants = _constants(model)
    nodes = [*model.graph.node]
    scales = [index for index, node in enumerate(nodes) if node.op_type == "Mul"]
    # The only factor comes before the first layer, right after the cast.
    if scales != [1]:
        return False
    factor = next(constants[name] for name in nodes[1].input if name in constants)
    return bool(np.all(np.abs(factor) <= (1 + 1e-6) / 255))


def _constants(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.float32]]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def _by_channel(
    layer: onnx.NodeProto, weights: npt.NDArray[np.float32], inputs: int
) -> npt.NDArray[np.float32]:
    """Weights as [outputs, input channels, positions]."""
    if layer.op_type == "Conv":
        return weights.reshape(len(weights), inputs, -1)
    # A flattened image has its channels last.
    return weights.T.reshape(weights.shape[1], -1, inputs).swapaxes(1, 2)


def _weights_of_inputs(
    layer: onnx.NodeProto, weights: npt.NDArray[np.float32], kept: npt.NDArray[np.intp], before: int
) -> npt.NDArray[np.float32]:
    """The weights that read the kept input channels; ``before`` is the number of all of them."""
    if layer.op_type == "Conv":
        return weights[:, kept]
    outputs = weights.shape[1]
    return weights.reshape(-1, before, outputs)[:, kept].reshape(-1, outputs)


def _set_constant(
    model: onnx.ModelProto, node: onnx.NodeProto, slot: int, values: npt.NDArray[np.generic]
) -> None:
    """Add a constant to the model and make it an input of the node."""
    name = f"{node.name}.input{slot}"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    node.input[slot] = name
