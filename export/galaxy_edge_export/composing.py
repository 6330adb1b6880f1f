"""Make one convolution of all linear operators between the image and the first nonlinear one.

A network may begin with fixed filters (differences of neighbours, local means, a reduced and
enlarged image) and a first convolution of them. As long as no operator between is nonlinear, the
whole is linear in the image, and usually a convolution with a larger kernel, which takes a fraction
of the time.

The kernel is not derived from the operators but measured: it is the response to images with one
pixel. Then the convolution is compared with the operators on random images, and they stay if it
differs anywhere; for example at a border that is filled with zeros between two of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnxruntime import InferenceSession

from galaxy_edge_export import graph

_Floats = npt.NDArray[np.float32]

#: Linear in their first input.
_LINEAR = frozenset({"AveragePool", "Conv", "ConvTranspose", "Identity", "Pad", "Slice"})
#: Linear if at most one of their inputs depends on the image.
_SCALED = frozenset({"Div", "Mul"})
#: Linear in all of their inputs together.
_JOINED = frozenset({"Add", "Concat", "Neg", "Sub"})
#: They bring the image into its form, one after the other.
_BEFORE = frozenset({"Cast", "Mul", "Sub", "Transpose"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
#: Largest kernel that is looked for, to either side of its middle, pixels.
_REACH = 9
_IMAGES = 4
_AT_ONCE = 64
#: Largest difference, as a share of the largest result.
_SAME = 1e-5


@dataclass(frozen=True, slots=True)
class _Part:
    """The linear part of a network.

    Attributes:
        nodes: its operators.
        start: the tensor that it begins with.
        end: its only result that is read by others.
        shapes: of both, without the batch: channels, height, width.
    """

    nodes: list[onnx.NodeProto]
    start: str
    end: str
    shapes: tuple[list[int], list[int]]


def with_one_convolution(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the linear part, if there is one of several convolutions and one can stand for it.

    Args:
        model: from `galaxy_edge_export.convert.convert`.
    """
    part = _linear_part(model)
    if part is None:
        return model
    session = _session(model, part)
    found = _measured(session, part)
    if found is None or not _cheaper(model, part, found.weights):
        return model
    rng = np.random.default_rng(0)
    images = rng.random((_IMAGES, *part.shapes[0]), np.float32)
    expected = _run(session, part, images)
    replacement = found.model(part)
    other = InferenceSession(replacement.SerializeToString(), providers=["CPUExecutionProvider"])
    ours = _run(other, part, images)
    if ours.shape != expected.shape:
        return model
    if np.abs(ours - expected).max() > _SAME * np.abs(expected).max():
        return model
    return _replaced(model, part, replacement)


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A measured convolution.

    Attributes:
        weights: float32 [output channels, input channels, height, width].
        bias: float32 [output channels].
        stride: of both axes.
        before: pixels of the border before the image, of each axis.
    """

    weights: _Floats
    bias: _Floats
    stride: int
    before: tuple[int, int]

    def model(self, part: _Part) -> onnx.ModelProto:
        """The convolution as a model from the start of the part to its end."""
        (_, *sides), (_, *ends) = part.shapes
        after = [
            max(0, (end - 1) * self.stride + kernel - before - side)
            for side, end, kernel, before in zip(
                sides, ends, self.weights.shape[2:], self.before, strict=True
            )
        ]
        node = helper.make_node(
            "Conv",
            [part.start, "composed.weights", "composed.bias"],
            [part.end],
            "composed",
            kernel_shape=[*self.weights.shape[2:]],
            strides=[self.stride] * 2,
            pads=[*self.before, *after],
        )
        constants = [
            numpy_helper.from_array(self.weights, "composed.weights"),
            numpy_helper.from_array(self.bias, "composed.bias"),
        ]
        return _model([node], part, constants)


def _linear_part(model: onnx.ModelProto) -> _Part | None:
    whole = shape_inference.infer_shapes(model).graph
    constants = {item.name for item in whole.initializer}
    readers = graph.readers(model)
    start = whole.input[0].name
    while len(next_ := readers.get(start, [])) == 1 and next_[0].op_type in _BEFORE:
        start = next_[0].output[0]
    linear, nodes = {start}, []
    for node in whole.node:
        from_image = [name for name in node.input if name in linear]
        others = [name for name in node.input if name and name not in linear]
        if not from_image or not {*others} <= constants:
            continue
        if (
            node.op_type in _JOINED
            or (node.op_type in _LINEAR and from_image == [node.input[0]])
            or (node.op_type in _SCALED and from_image == [node.input[0]])
        ):
            linear.update(node.output)
            nodes.append(node)
    names = {node.output[0] for node in nodes}
    ends = {
        name
        for node in model.graph.node
        for name in node.input
        if name in linear and node.output[0] not in names
    } | {item.name for item in whole.output if item.name in linear}
    if len(ends) != 1 or sum(node.op_type in _CONVOLUTIONS for node in nodes) < 2:
        return None
    (end,) = ends
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
        for value in (*whole.input, *whole.value_info, *whole.output)
    }
    both = shapes.get(start, []), shapes.get(end, [])
    if any(len(shape) != 3 or 0 in shape for shape in both):
        return None
    return _Part(nodes, start, end, both)


def _model(
    nodes: list[onnx.NodeProto], part: _Part, constants: list[onnx.TensorProto]
) -> onnx.ModelProto:
    start, end = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        for name, shape in zip((part.start, part.end), part.shapes, strict=True)
    )
    return helper.make_model(
        helper.make_graph(nodes, "linear", [start], [end], constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )


def _session(model: onnx.ModelProto, part: _Part) -> InferenceSession:
    used = {name for node in part.nodes for name in node.input}
    constants = [item for item in model.graph.initializer if item.name in used]
    alone = _model(part.nodes, part, constants)
    return InferenceSession(alone.SerializeToString(), providers=["CPUExecutionProvider"])


def _run(session: InferenceSession, part: _Part, images: _Floats) -> _Floats:
    batches = np.array_split(images, -(-len(images) // _AT_ONCE))
    return np.concatenate([session.run([part.end], {part.start: batch})[0] for batch in batches])


def _measured(session: InferenceSession, part: _Part) -> _Convolution | None:
    """Find the kernel from the response to single pixels near the middle."""
    (channels, *sides), (_, *ends) = part.shapes
    strides = {round(side / end) for side, end in zip(sides, ends, strict=True)}
    if len(strides) != 1 or min(*sides) < 2 * _REACH or (stride := strides.pop()) < 1:
        return None
    middle = [end // 2 for end in ends]
    rows, columns = (
        range(max(0, place * stride - _REACH), min(side, place * stride + _REACH + 1))
        for place, side in zip(middle, sides, strict=True)
    )
    bias = _run(session, part, np.zeros((1, channels, *sides), np.float32))[0][
        :, middle[0], middle[1]
    ]
    # A pixel at a time, so that memory stays small.
    responses = []
    for channel in range(channels):
        images = np.zeros((len(rows) * len(columns), channels, *sides), np.float32)
        for number, (row, column) in enumerate((r, c) for r in rows for c in columns):
            images[number, channel, row, column] = 1
        found = _run(session, part, images)[:, :, middle[0], middle[1]] - bias
        responses.append(found.T.reshape(-1, len(rows), len(columns)))
    weights = np.stack(responses, axis=1)
    spans = []
    for axis, first, place in ((2, rows[0], middle[0]), (3, columns[0], middle[1])):
        others = tuple({0, 1, 2, 3} - {axis})
        used = np.flatnonzero(np.abs(weights).max(axis=others) > 0)
        if not used.size:
            return None
        # Relative to the place of the result; a kernel that begins later gets zeros before it.
        start = min(int(used[0]) + first - place * stride, 0)
        spans.append((start, int(used[-1]) + first - place * stride + 1))
    kernel = np.zeros((*weights.shape[:2], *(end - start for start, end in spans)), np.float32)
    for row in range(len(rows)):
        for column in range(len(columns)):
            y = rows[row] - middle[0] * stride - spans[0][0]
            x = columns[column] - middle[1] * stride - spans[1][0]
            if 0 <= y < kernel.shape[2] and 0 <= x < kernel.shape[3]:
                kernel[:, :, y, x] = weights[:, :, row, column]
    before = (-spans[0][0], -spans[1][0])
    return _Convolution(kernel, np.ascontiguousarray(bias), stride, before)


def _cheaper(model: onnx.ModelProto, part: _Part, weights: _Floats) -> bool:
    """Whether the convolution multiplies less than the convolutions that it replaces."""
    sizes = {item.name: math.prod(item.dims) for item in model.graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in shape_inference.infer_shapes(model).graph.value_info
    }
    before = 0
    for node in part.nodes:
        if node.op_type in _CONVOLUTIONS:
            places = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]][-2:]
            before += sizes[node.input[1]] * math.prod(places)
    return weights.size * math.prod(part.shapes[1][1:]) <= before


def _replaced(model: onnx.ModelProto, part: _Part, replacement: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    gone = {node.output[0] for node in part.nodes}
    nodes = []
    for node in model.graph.node:
        if node.output[0] == part.end:
            nodes.extend(replacement.graph.node)
        elif node.output[0] not in gone:
            nodes.append(node)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    constants = [item for item in model.graph.initializer if item.name in used]
    del result.graph.initializer[:]
    result.graph.initializer.extend([*constants, *replacement.graph.initializer])
    del result.graph.value_info[:]
    onnx.checker.check_model(result, full_check=True)
    return result
