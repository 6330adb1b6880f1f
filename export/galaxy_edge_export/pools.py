"""The first convolution and its max pool as one convolution over blocks of pixels: exact, faster.

onnxruntime's integer convolutions want input channels in fours. An image has three: then every
pixel under every place of the kernel is copied into a matrix first, three bytes at a time, which
takes longer than the multiplying. And the pool throws three quarters of what was multiplied away,
after a walk over all of it, in two rows at once. So:

- each block of 2 x 2 pixels becomes one pixel of 12 channels (an image row is cut from the next,
  and both are laid side by side);
- the four values of each 2 x 2 pool are computed as four groups of channels of one such pixel:
  the kernel stands at the four offsets of a pool in a kernel that is larger by one;
- the largest of the four groups is taken where they lie.

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

_COLOURS = 3
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
    """A convolution of the image and its pool.

    Attributes:
        path: the nodes of `_PATTERN`.
        weights, bias: those that dequantise the convolution's.
        height, width: of the image, pixels.
    """

    path: tuple[onnx.NodeProto, ...]
    weights: onnx.NodeProto
    bias: onnx.NodeProto
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class _Writer:
    """Nodes and constants in the order they are added."""

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
    """Rewrite the first convolution and its max pool.

    Args:
        model: QDQ, from `galaxy_edge_export.integer.with_integer_input`.

    Returns:
        The rewritten model, in the same standard operators; or the same where it does not begin
        with a plain convolution and a pool of 2 x 2, or where a side of the image is odd.
    """
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    pair = _pair(model, constants)
    if pair is None:
        return model
    writer = _Writer()
    pixels = writer.node("Transpose", [_blocks(writer, pair)], "first", perm=_FIRST)
    groups = _convolved(writer, pair, constants, pixels)
    _largest(writer, pair, constants, groups)
    gone = (*pair.path, pair.weights, pair.bias)
    kept = [node for node in model.graph.node if node not in gone]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend([*writer.nodes, *kept])
    result.graph.initializer.extend(writer.constants)
    result.graph.ClearField("value_info")  # it told the shapes of what is gone
    return graph.without_dead_nodes(result)


def _pair(model: onnx.ModelProto, constants: _Constants) -> _Pair | None:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
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
        # A pool that quantises anew would do so four times as often.
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
    return _Pair(tuple(path), weights, bias, *sides)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _is(node: onnx.NodeProto, plain: dict[str, object]) -> bool:
    found = _attributes(node)
    return all(found.get(name, value) == value for name, value in plain.items())


def _blocks(writer: _Writer, pair: _Pair) -> str:
    """The image as [N, height / 2, width / 2, 4 x colours], two rows of two pixels a block.

    Cut in two and laid side by side, not transposed: onnxruntime does that four times as fast.
    """
    rows, columns, line = pair.height // _POOL, pair.width // _POOL, pair.width * _COLOURS
    lines = writer.reshape(INPUT_NAME, "lines", rows, _POOL * line)
    sizes = writer.constant("cut.sizes", np.full(_POOL, line, np.int64))
    halves = ["cut.upper", "cut.lower"]
    writer.nodes.append(helper.make_node("Split", [lines, sizes], halves, "cut", axis=2))
    sides = [
        writer.reshape(half, f"{half}.pixels", rows, columns, _POOL * _COLOURS) for half in halves
    ]
    return writer.node("Concat", sides, "blocks", axis=3)


def _convolved(writer: _Writer, pair: _Pair, constants: _Constants, pixels: str) -> str:
    """The four values of each pool, [N, 4 x filters, rows, columns], quantised."""
    weights = constants[pair.weights.input[0]]
    filters, colours, *kernel = weights.shape
    # The kernel at each offset, in one that is larger by one, or by two to be of whole blocks.
    height, width = (side // _POOL + 1 for side in kernel)
    placed = np.zeros(
        (_POOL, _POOL, filters, colours, _POOL * height, _POOL * width), weights.dtype
    )
    for down in range(_POOL):
        for right in range(_POOL):
            placed[down, right, ..., down : down + kernel[0], right : right + kernel[1]] = weights
    # From pixels of a colour to blocks of four pixels' colours.
    blocks = placed.reshape(-1, colours, height, _POOL, width, _POOL).transpose(0, 3, 5, 1, 2, 4)

    def dequantized(node: onnx.NodeProto, values: npt.NDArray[np.generic], name: str) -> str:
        inputs = [writer.constant(f"{name}.quantized", values)]
        for place, quantity in zip((1, 2), ("scale", "zero_point"), strict=False):
            if len(node.input) > place:
                each = constants[node.input[place]]
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
    """The largest of the four, where the pool's result was."""
    filters, _, *kernel = constants[pair.weights.input[0]].shape
    sides = (pair.height, pair.width)
    rows, columns = (side // _POOL - k // _POOL for side, k in zip(sides, kernel, strict=True))
    *_, pool, after = pair.path
    # The channels are put last and first again around each change of shape: in the order in
    # which onnxruntime keeps them, nothing moves.
    last = writer.node("Transpose", [groups], "offsets.last", perm=_LAST)
    apart = writer.reshape(last, "offsets.apart", rows * columns, _OFFSETS, filters)
    first = writer.node("Transpose", [apart], "offsets.first", perm=_FIRST)
    real = writer.node("DequantizeLinear", [first, *after.input[1:]], "offsets.real")
    pooled = writer.node(
        "MaxPool", [real], pool.name, kernel_shape=[1, _OFFSETS], strides=[1, _OFFSETS]
    )
    largest = writer.node("QuantizeLinear", [pooled, *after.input[1:]], "largest")
    last = writer.node("Transpose", [largest], "largest.last", perm=_LAST)
    together = writer.reshape(last, "largest.together", rows, columns, filters)
    writer.nodes.append(
        helper.make_node("Transpose", [together], [*after.output], "largest.first", perm=_FIRST)
    )
