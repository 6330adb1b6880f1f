"""The first convolution and its max pool as one convolution: exact, and faster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export.integer import CONTRIB

_POOL = 2
_PLAIN_CONV = {"dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0], "strides": [1, 1]}
_PLAIN_POOL = {
    "ceil_mode": 0,
    "dilations": [1, 1],
    "kernel_shape": [_POOL, _POOL],
    "pads": [0, 0, 0, 0],
    "strides": [_POOL, _POOL],
}


def with_folded_pool(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute the four values of each 2 x 2 pool as four channels, and take the largest.

    The kernel, k x k, is placed at the four offsets of a pool in a kernel of k + 1 x k + 1 that
    moves two pixels at a time. A convolution of an image has few inputs, 27 for 3 x 3: too few
    for the matrix product it becomes, whose inner loop is then mostly overhead. Here it has 48,
    and a quarter of the rows; and the largest of four neighbouring channels is taken where they
    lie, which a pool over two rows cannot.

    The same integers are summed and compared, so the scores are equal to the bit.

    Args:
        model: from `galaxy_edge_export.integer.with_integer_operators`.

    Returns:
        The rewritten model, or the same where it does not begin with such a pair.
    """
    nodes = [*model.graph.node]
    if len(nodes) < 2 or not _begins_with_a_pair(*nodes[:2]):
        return model
    convolution, pool = nodes[:2]
    constants = {item.name: item for item in model.graph.initializer}
    weights = numpy_helper.to_array(constants[convolution.input[3]])
    filters, channels, height, width = weights.shape
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    rows, columns = (
        (dimension.dim_value - side + 1) // _POOL
        for dimension, side in zip(dimensions[1:3], (height, width), strict=True)
    )
    placed = np.zeros((_POOL, _POOL, filters, channels, height + 1, width + 1), weights.dtype)
    for down in range(_POOL):
        for right in range(_POOL):
            placed[down, right, :, :, down : down + height, right : right + width] = weights

    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]

    def constant(name: str, values: npt.NDArray[np.generic]) -> str:
        result.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def four_times(place: int) -> str:
        name = convolution.input[place]
        values = numpy_helper.to_array(constants[name])
        return constant(f"{name}.pooled", np.tile(values, _POOL**2) if values.ndim else values)

    inputs = [*convolution.input]
    inputs[3] = constant(f"{inputs[3]}.pooled", placed.reshape(-1, channels, height + 1, width + 1))
    # Scale, zero point and bias of each filter.
    for place in (4, 5, 8):
        inputs[place] = four_times(place)
    apart = constant(f"{pool.name}.apart", np.array([-1, rows * columns, _POOL**2, filters]))
    together = constant(f"{pool.name}.together", np.array([-1, rows, columns, filters]))
    names = [f"{pool.name}.{name}" for name in ("offsets", "rows", "largest")]
    result.graph.node.extend(
        [
            helper.make_node(
                "QLinearConv", inputs, [names[0]], convolution.name, domain=CONTRIB,
                channels_last=1, kernel_shape=[height + 1, width + 1], strides=[_POOL, _POOL],
            ),
            helper.make_node("Reshape", [names[0], apart], [names[1]], f"{pool.name}_apart"),
            helper.make_node(
                "NhwcMaxPool", [names[1]], [names[2]], pool.name, domain=CONTRIB,
                kernel_shape=[1, _POOL**2], strides=[1, _POOL**2],
            ),
            helper.make_node("Reshape", [names[2], together], [*pool.output], f"{pool.name}_back"),
            *nodes[2:],
        ]
    )  # fmt: skip
    return result


def _begins_with_a_pair(convolution: onnx.NodeProto, pool: onnx.NodeProto) -> bool:
    return (
        (convolution.op_type, pool.op_type) == ("QLinearConv", "NhwcMaxPool")
        and convolution.input[0] == INPUT_NAME
        and _is(convolution, _PLAIN_CONV)
        and _is(pool, _PLAIN_POOL)
    )


def _is(node: onnx.NodeProto, plain: dict[str, object]) -> bool:
    found = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return all(found.get(name, value) == value for name, value in plain.items())
