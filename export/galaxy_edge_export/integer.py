"""QDQ -> integers from the image on, in onnxruntime's own operators where they may be used.

A QDQ file says in standard operators what is computed; onnxruntime fuses every DequantizeLinear,
operator, QuantizeLinear into one integer kernel when it loads the file, and moves the channels
last for them. Written down fused, with the channels last, a file loads in a fraction of the time
and can be rewritten in ways that the fusing would not see through. The kernels are the same, and
so is every score, to the bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export import graph

#: The domain of onnxruntime's own operators, and the version of it that has those used here.
CONTRIB = "com.microsoft"
_CONTRIB_VERSION = 1
_HEAD = ["Cast", "Mul", "Transpose", "QuantizeLinear"]
_CHANNELS_FIRST, _CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]

Constants = dict[str, npt.NDArray[np.generic]]


class _NotInteger(Exception):  # noqa: N818 - a way out, no error
    """The graph holds something that has no integer form here."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An operator between its DequantizeLinear and its QuantizeLinear."""

    before: onnx.NodeProto
    node: onnx.NodeProto
    after: onnx.NodeProto


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
    if not _changes_nothing(head, _constants(model)):
        return result
    transpose, quantize = head[2:]
    transpose.input[0] = INPUT_NAME
    transpose.output[0] = quantize.output[0]
    del result.graph.node[:]
    result.graph.node.extend(node for node in nodes if node not in (*head[:2], quantize))
    return result


def with_integer_operators(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Fuse a quantised chain of convolutions, max pools and dense layers.

    Args:
        model: from `with_integer_input`, a single path from the image to the score.

    Returns:
        The same in onnxruntime's operators, the channels last; None where the graph holds
        anything else.
    """
    try:
        steps, tail = _split(_path(model))
        nodes = _fused(steps, _makers(model), _constants(model))
    except _NotInteger:
        return None
    # The last step's result is what the float tail has always begun with.
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend([*nodes, *tail])
    result.opset_import.append(helper.make_opsetid(CONTRIB, _CONTRIB_VERSION))
    return graph.without_dead_nodes(result)


def _path(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes from the image to the score, if there is but one way."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    path: list[onnx.NodeProto] = []
    name = INPUT_NAME
    while name in readers:
        if len(readers[name]) != 1:
            raise _NotInteger
        path += readers[name]
        name = path[-1].output[0]
    return path


def _split(path: Sequence[onnx.NodeProto]) -> tuple[list[_Step], list[onnx.NodeProto]]:
    """The integer steps, and the float rest."""
    kinds = [node.op_type for node in path]
    if kinds[:1] != ["Transpose"] or _attributes(path[0]) != {"perm": _CHANNELS_FIRST}:
        raise _NotInteger
    steps = []
    place = 1
    while kinds[place : place + 3 : 2] == ["DequantizeLinear", "QuantizeLinear"]:
        steps.append(_Step(*path[place : place + 3]))
        place += 3
    return steps, [*path[place:]]


def _changes_nothing(head: Sequence[onnx.NodeProto], constants: Constants) -> bool:
    """Whether an image's bytes, divided and quantised, are the bytes they were."""
    if [node.op_type for node in head] != _HEAD:
        return False
    cast, divide, transpose, quantize = head
    if [node.input[0] for node in head] != [
        INPUT_NAME, cast.output[0], divide.output[0], transpose.output[0],
    ]:  # fmt: skip
        return False
    factor, scale, zero = (constants.get(name) for name in (divide.input[1], *quantize.input[1:3]))
    return (
        factor is not None
        and scale is not None
        and zero is not None
        and factor == scale
        and zero == 0
        and zero.dtype == np.uint8
    )


def _fused(
    steps: Sequence[_Step], makers: dict[str, onnx.NodeProto], constants: Constants
) -> list[onnx.NodeProto]:
    nodes: list[onnx.NodeProto] = []
    tensor = INPUT_NAME
    seen: Counter[str] = Counter()
    for step in steps:
        kind = step.node.op_type
        seen[kind] += 1
        result = step.after.output[0]
        scales = [*step.before.input[1:3]]
        if kind == "Conv" and not seen["Transpose"]:
            inputs = [
                tensor,
                *scales,
                *_made_by_dequantizing(step.node.input[1], makers),
                *step.after.input[1:3],
            ]
            bias = _made_by_dequantizing(step.node.input[2], makers)[0]
            nodes.append(_contrib("QLinearConv", step, [*inputs, bias], result, channels_last=1))
        elif kind == "MaxPool" and not seen["Transpose"] and _keeps_scale(step, constants):
            nodes.append(_contrib("NhwcMaxPool", step, [tensor], result))
        elif (
            kind == "Transpose"
            and _attributes(step.node) == {"perm": _CHANNELS_LAST}
            and _keeps_scale(step, constants)
        ):
            result = tensor  # as it lies already
        elif kind == "Reshape" and seen["Transpose"] == 1 and _keeps_scale(step, constants):
            nodes.append(
                helper.make_node("Reshape", [tensor, step.node.input[1]], [result], step.node.name)
            )
        elif kind == "Gemm" and seen["Reshape"] == 1 and _is_plain_gemm(step.node):
            inputs = [tensor, *scales, *_made_by_dequantizing(step.node.input[1], makers)]
            bias = _made_by_dequantizing(step.node.input[2], makers)[0]
            outputs = [*step.after.input[1:3]]
            nodes.append(
                helper.make_node(
                    "QGemm", [*inputs, bias, *outputs], [result], step.node.name, domain=CONTRIB
                )
            )
        else:
            raise _NotInteger
        tensor = result
    if not seen["Reshape"] or tensor != steps[-1].after.output[0]:
        raise _NotInteger
    return nodes


def _contrib(
    operator: str, step: _Step, inputs: list[str], result: str, **more: Any
) -> onnx.NodeProto:
    attributes = _attributes(step.node)
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise _NotInteger
    attributes.pop("storage_order", None)
    return helper.make_node(
        operator, inputs, [result], step.node.name, domain=CONTRIB, **attributes, **more
    )


def _made_by_dequantizing(name: str, makers: dict[str, onnx.NodeProto]) -> list[str]:
    maker = makers.get(name)
    if maker is None or maker.op_type != "DequantizeLinear":
        raise _NotInteger
    return [*maker.input]


def _keeps_scale(step: _Step, constants: Constants) -> bool:
    return all(
        constants[before] == constants[after]
        for before, after in zip(step.before.input[1:3], step.after.input[1:3], strict=True)
    )


def _is_plain_gemm(node: onnx.NodeProto) -> bool:
    plain = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
    return (plain | _attributes(node)) == plain


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _makers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def _constants(model: onnx.ModelProto) -> Constants:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
