"""The image as it comes: its bytes are the integers of the first layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph

_HEAD = ["Cast", "Mul", "Transpose", "QuantizeLinear"]


def with_integer_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take the image as it comes: its bytes are the integers the first layer wants.

    A QDQ file casts the image to float, divides it by 255 and quantises it by 1/255, three passes
    over every pixel that end where they began.

    Args:
        model: QDQ.

    Returns:
        The same without them; or as it is, where it begins otherwise.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes = [*result.graph.node]
    places = [place for place, node in enumerate(nodes) if node.op_type in _HEAD][: len(_HEAD)]
    head = [nodes[place] for place in places]
    if not _changes_nothing(
        head, {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    ):
        return result
    transpose, quantize = head[2:]
    transpose.input[0] = INPUT_NAME
    transpose.output[0] = quantize.output[0]
    del result.graph.node[:]
    result.graph.node.extend(node for node in nodes if node not in (*head[:2], quantize))
    return graph.without_dead_nodes(result)


def _changes_nothing(
    head: Sequence[onnx.NodeProto], known: dict[str, npt.NDArray[np.generic]]
) -> bool:
    """Whether an image's bytes, divided and quantised, are the bytes they were."""
    if [node.op_type for node in head] != _HEAD:
        return False
    cast, divide, transpose, quantize = head
    if [node.input[0] for node in head] != [
        INPUT_NAME, cast.output[0], divide.output[0], transpose.output[0],
    ]:  # fmt: skip
        return False
    factor, scale, zero = (known.get(name) for name in (divide.input[1], *quantize.input[1:3]))
    return (
        factor is not None
        and scale is not None
        and zero is not None
        and factor == scale
        and zero == 0
        and zero.dtype == np.uint8
    )
