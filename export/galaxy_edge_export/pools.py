"""Compute the first convolution and its max pool over blocks of pixels, which is faster and exact.

The first two layers are slow for two reasons:

- onnxruntime's integer convolutions are fast only if the number of input channels is a multiple of
  four. An image has three, so every pixel under every position of the kernel is first copied into
  a matrix, three bytes at a time, which takes longer than the multiplication.
- The pool reads all results of the convolution, from two rows at once, and discards three quarters
  of them.

The rewrite therefore:

- turns each block of 2 x 2 pixels into one pixel with 12 channels (each pair of image rows is split
  and laid side by side);
- computes the four values of each 2 x 2 pool as four groups of channels of one such pixel, with
  four copies of the kernel, each placed at one of the pool's four offsets in a kernel that is
  larger by one pixel;
- takes the largest of the four groups in place.

The same integers are summed and compared, so the scores are equal to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph

_FIRST, _LAST = [0, 3, 1, 2], [0, 2, 3, 1]
_PATTERN = [
    "Transpose", "DequantizeLinear", "Conv", "QuantizeLinear", "DequantizeLinear", "MaxPool",
    "QuantizeLinear",
]  # fmt: skip
_POOL = 2
_OFFSETS = _POOL**2
_PLAIN_CONV = {"dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0], "strides": [1, 1]}
_PLAIN_POOL = {
    "ceil_mode": 0,
    "dilations": [1, 1],
    "kernel_shape": [_POOL, _POOL],
    "pads": [0, 0, 0, 0],
    "strides": [_POOL, _POOL],
}

_Constants = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The first convolution and its pool.

    Attributes:
        path: the nodes that match `_PATTERN`.
        weights, bias: the nodes that dequantise the weights and the bias of the convolution.
        height, width: size of the image, pixels.
        colours: number of channels of the image.
    """

    path: tuple[onnx.NodeProto, ...]
    weights: onnx.NodeProto
    bias: onnx.NodeProto
    height: int
    width: int
    colours: int


@dataclass(frozen=True, slots=True)
class _Writer:
    """Collects nodes and constants in the order in which they are added."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], name: str, **more: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}.out"], name, **more))
        return f"{name}.out"

    def reshape(self, tensor: str, name: str, *sizes: int) -> str:
        shape = self.constant(f"{name}.shape", np.array((-1, *sizes), np.int64))
        return self.node("Reshape", [tensor, shape], name)


def with_folded_pool(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite the first convolution and its max pool, as the module's docstring describes.

    Args:
        model: a QDQ model from `galaxy_edge_export.integer.with_integer_input`.

    Returns:
        The rewritten model, which uses only standard operators. The same object if it does not
        begin with a plain convolution and a 2 x 2 pool, or if a side of the image is odd.
    """
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    pair = _pair(model, constants)
    if pair is None:
        return model
    writer = _Writer()
    pixels = writer.node("Transpose", [_blocks(writer, pair)], "first", perm=_FIRST)
    groups = _convolved(writer, pair, constants, pixels)
    _largest(writer, pair, constants, groups)
    replaced = (*pair.path, pair.weights, pair.bias)
    kept = [node for node in model.graph.node if node not in replaced]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend([*writer.nodes, *kept])
    result.graph.initializer.extend(writer.constants)
    result.graph.ClearField("value_info")  # holds the shapes of the replaced tensors
    return graph.without_dead_nodes(result)


def _pair(model: onnx.ModelProto, constants: _Constants) -> _Pair | None:
    readers = graph.readers(model)
    path: list[onnx.NodeProto] = []
    name = INPUT_NAME
    while len(path) < len(_PATTERN) and len(readers.get(name, ())) == 1:
        path += readers[name]
        name = path[-1].output[0]
    if [node.op_type for node in path] != _PATTERN:
        return None
    first, _, convolution, before, _, pool, after = path
    if not (
        _is(first, {"perm": _FIRST})
        and _is(convolution, _PLAIN_CONV)
        and _is(pool, _PLAIN_POOL)
        # The rewrite would quantise four times as often after a pool that requantises.
        and before.input[1:] == after.input[1:]
        and len(convolution.input) == 3
    ):
        return None
    made_by = {name: node for node in model.graph.node for name in node.output}
    weights, bias = (made_by.get(name) for name in convolution.input[1:])
    sides = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[1:3]]
    if weights is None or bias is None or any(side % _POOL for side in sides):
        return None
    if any(name not in constants for node in (weights, bias) for name in node.input):
        return None
    height, width = sides
    return _Pair(tuple(path), weights, bias, height, width, graph.colours(model))


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _is(node: onnx.NodeProto, plain: dict[str, object]) -> bool:
    found = _attributes(node)
    return all(found.get(name, value) == value for name, value in plain.items())


def _blocks(writer: _Writer, pair: _Pair) -> str:
    """The image as [N, height / 2, width / 2, 4 x colours]: two rows of two pixels per block.

    Pairs of rows are split and laid side by side instead of transposed, because onnxruntime does
    that four times as fast.
    """
    rows, columns, line = pair.height // _POOL, pair.width // _POOL, pair.width * pair.colours
    lines = writer.reshape(INPUT_NAME, "lines", rows, _POOL * line)
    sizes = writer.constant("cut.sizes", np.full(_POOL, line, np.int64))
    halves = ["cut.upper", "cut.lower"]
    writer.nodes.append(helper.make_node("Split", [lines, sizes], halves, "cut", axis=2))
    sides = [
        writer.reshape(half, f"{half}.pixels", rows, columns, _POOL * pair.colours)
        for half in halves
    ]
    return writer.node("Concat", sides, "blocks", axis=3)


def _convolved(writer: _Writer, pair: _Pair, constants: _Constants, pixels: str) -> str:
    """The four values of each pool, quantised: [N, 4 x filters, rows, columns]."""
    weights = constants[pair.weights.input[0]]
    filters, colours, *kernel = weights.shape
    # Place the kernel at each offset in a kernel that is larger by one pixel, or by two if that is
    # needed for whole blocks.
    height, width = (side // _POOL + 1 for side in kernel)
    placed = np.zeros(
        (_POOL, _POOL, filters, colours, _POOL * height, _POOL * width), weights.dtype
    )
    for down in range(_POOL):
        for right in range(_POOL):
            placed[down, right, ..., down : down + kernel[0], right : right + kernel[1]] = weights
    # Reorder from pixels with colours to blocks with the colours of four pixels.
    blocks = placed.reshape(-1, colours, height, _POOL, width, _POOL).transpose(0, 3, 5, 1, 2, 4)

    def dequantized(node: onnx.NodeProto, values: npt.NDArray[np.generic], name: str) -> str:
        inputs = [writer.constant(f"{name}.quantized", values)]
        for slot, quantity in zip((1, 2), ("scale", "zero_point"), strict=False):
            if len(node.input) > slot:
                each = constants[node.input[slot]]
                each = np.tile(each, _OFFSETS) if each.ndim else each
                inputs.append(writer.constant(f"{name}.{quantity}", each))
        return writer.node("DequantizeLinear", inputs, name, **_attributes(node))

    _, before, node, after, *_ = pair.path
    biases = np.tile(constants[pair.bias.input[0]], _OFFSETS)
    inputs = [
        writer.node("DequantizeLinear", [pixels, *before.input[1:]], "first.real"),
        dequantized(pair.weights, blocks.reshape(len(biases), -1, height, width), "offsets.weight"),
        dequantized(pair.bias, biases, "offsets.bias"),
    ]
    real = writer.node("Conv", inputs, node.name, kernel_shape=[height, width])
    return writer.node("QuantizeLinear", [real, *after.input[1:]], "offsets")


def _largest(writer: _Writer, pair: _Pair, constants: _Constants, groups: str) -> None:
    """Write the largest of the four values as the result of the pool."""
    filters, _, *kernel = constants[pair.weights.input[0]].shape
    sides = (pair.height, pair.width)
    rows, columns = (side // _POOL - k // _POOL for side, k in zip(sides, kernel, strict=True))
    *_, pool, after = pair.path
    # Move the channels last before each change of shape, and first again after it. onnxruntime
    # keeps channels last in memory, so these transpositions move nothing.
    last = writer.node("Transpose", [groups], "offsets.last", perm=_LAST)
    separate = writer.reshape(last, "offsets.separate", rows * columns, _OFFSETS, filters)
    first = writer.node("Transpose", [separate], "offsets.first", perm=_FIRST)
    real = writer.node("DequantizeLinear", [first, *after.input[1:]], "offsets.real")
    pooled = writer.node(
        "MaxPool", [real], pool.name, kernel_shape=[1, _OFFSETS], strides=[1, _OFFSETS]
    )
    largest = writer.node("QuantizeLinear", [pooled, *after.input[1:]], "largest")
    last = writer.node("Transpose", [largest], "largest.last", perm=_LAST)
    image = writer.reshape(last, "largest.image", rows, columns, filters)
    writer.nodes.append(
        helper.make_node("Transpose", [image], [*after.output], "largest.first", perm=_FIRST)
    )
