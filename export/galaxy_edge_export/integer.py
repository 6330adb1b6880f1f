"""Use the bytes of the image directly as the integers of the first layer."""

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
    """Pass the bytes of the image to the first layer without converting them.

    A QDQ file casts the image to float, divides it by 255 and quantises it with the scale 1/255.
    These three passes over every pixel give back the original bytes, so removing them saves their
    time and changes no score.

    Args:
        model: a QDQ model.

    Returns:
        The model without the three operators, or an unchanged copy if it begins differently.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes = [*result.graph.node]
    head = [node for node in nodes if node.op_type in _HEAD][: len(_HEAD)]
    if not _restores_bytes(
        head, {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    ):
        return result
    transpose, quantize = head[2:]
    transpose.input[0] = INPUT_NAME
    transpose.output[0] = quantize.output[0]
    del result.graph.node[:]
    result.graph.node.extend(node for node in nodes if node not in (*head[:2], quantize))
    return graph.without_dead_nodes(result)


def _restores_bytes(
    head: Sequence[onnx.NodeProto], known: dict[str, npt.NDArray[np.generic]]
) -> bool:
    """Whether dividing and quantising the bytes of an image gives back the same bytes."""
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
