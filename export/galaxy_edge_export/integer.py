"""Use the bytes of the image directly as the integers of the first layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph


def with_integer_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Pass the bytes of the image to the first layer without converting them.

    A QDQ file casts the image to float, divides it by 255 and quantises it with the scale 1/255.
    These three passes over every pixel give back the original bytes, so removing them saves their
    time and changes no score. If the network takes pixels of 0 to 255, the file does not divide,
    and the scale is 1.

    Args:
        model: a QDQ model.

    Returns:
        The model without these operators, or an unchanged copy if it begins differently.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    known = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    head = _head(result)
    if not _restores_bytes(head, known):
        return result
    *_, transpose, quantize = head
    transpose.input[0] = INPUT_NAME
    transpose.output[0] = quantize.output[0]
    kept = [node for node in result.graph.node if node not in (*head[:-2], quantize)]
    del result.graph.node[:]
    result.graph.node.extend(kept)
    return graph.without_dead_nodes(result)


def _head(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that only read each other, from the image to the first QuantizeLinear."""
    readers = graph.readers(model)
    head: list[onnx.NodeProto] = []
    tensor = INPUT_NAME
    while len(found := readers.get(tensor, ())) == 1:
        head += found
        tensor = head[-1].output[0]
        if head[-1].op_type == "QuantizeLinear":
            break
    return head


def _restores_bytes(
    head: Sequence[onnx.NodeProto], known: dict[str, npt.NDArray[np.generic]]
) -> bool:
    """Whether scaling and quantising the bytes of an image gives back the same bytes."""
    operators = [node.op_type for node in head]
    if operators not in (
        ["Cast", "Mul", "Transpose", "QuantizeLinear"],
        ["Cast", "Transpose", "QuantizeLinear"],
    ):
        return False
    factor = known.get(head[1].input[1]) if operators[1] == "Mul" else np.float32(1)
    scale, zero = (known.get(name) for name in head[-1].input[1:3])
    return (
        factor is not None
        and scale is not None
        and zero is not None
        and factor == scale
        and zero == 0
        and zero.dtype == np.uint8
    )
