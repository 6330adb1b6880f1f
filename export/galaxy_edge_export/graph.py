"""Rewrites of ONNX graphs. Each is a pure function that changes no score."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from galaxy_edge_export import folding

#: Operators that read shapes. A network with a fixed image size needs none of them.
PLUMBING = frozenset({"Shape", "Size"})
BATCH = "N"
LAYERS = frozenset({"Conv", "Gemm", "MatMul"})


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """Apply all rewrites, in order."""
    plain = without_identities(with_transposes(with_static_reshapes(model)))
    layers = folding.with_folded_scales(folding.with_gemms(plain))
    return with_plain_names(without_dead_nodes(layers))


def with_static_reshapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Reshape to a constant shape instead of computing the shape for each batch.

    tf2onnx writes Keras's Flatten as a Reshape whose shape is computed by Shape, Gather, Cast,
    Slice and Concat. All sizes except the batch's are known, so the shape is the constant [-1, K].
    This removes six nodes, which lie on the critical path.
    """
    result = _copy(model)
    constants = {item.name for item in result.graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in shape_inference.infer_shapes(result).graph.value_info
    }
    for node in result.graph.node:
        if node.op_type != "Reshape" or node.input[1] in constants:
            continue
        known = shapes.get(node.input[0], [])[1:]
        if not known or 0 in known:
            continue
        size = math.prod(known)
        after = shapes.get(node.output[0], [])[1:]
        # Without a known result, it is Flatten.
        sizes = after if after and math.prod(after) == size else [size]
        name = f"{node.output[0]}/shape"
        result.graph.initializer.append(
            numpy_helper.from_array(np.array([-1, *sizes], np.int64), name)
        )
        node.input[1] = name
    return result


def with_transposes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write a Transpose where tf2onnx reshapes instead.

    Moving the only channel moves no number, so tf2onnx writes Reshape. The other rewrites know the
    start of a network by its Transpose.
    """
    result = _copy(model)
    graph = shape_inference.infer_shapes(result).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    for node in result.graph.node:
        if node.op_type != "Reshape":
            continue
        before, after = (shapes.get(name, []) for name in (node.input[0], node.output[0]))
        if len(before) != 3 or 0 in before or len(after) != 3:
            continue
        for perm in ([0, 3, 1, 2], [0, 2, 3, 1]):
            moved = [before[axis - 1] for axis in perm[1:]]
            single = before[-1 if perm[1] == 3 else 0] == 1
            if single and after == moved:
                node.op_type = "Transpose"
                del node.input[1], node.attribute[:]
                node.attribute.append(helper.make_attribute("perm", perm))
                break
    return result


def without_identities(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what changes no number: adding 0, and casting a byte to a byte.

    ``Rescaling(1 / 255)`` adds 0, and a network that takes bytes casts the image to them.
    """
    result = _copy(model)
    zeros = {
        item.name
        for item in result.graph.initializer
        if [*item.dims] in ([], [1]) and not numpy_helper.to_array(item).any()
    }
    (image,) = (item.name for item in result.graph.input)
    same: dict[str, str] = {}
    pixels = {image}
    kept = []
    outputs = {item.name for item in result.graph.output}
    for node in result.graph.node:
        _replace(node.input, [same.get(name, name) for name in node.input])
        to = next((item.i for item in node.attribute if item.name == "to"), None)
        if node.op_type == "Cast" and node.input[0] == image and to == TensorProto.FLOAT:
            pixels.add(node.output[0])
        source = None
        if node.op_type == "Add" and zeros.intersection(node.input):
            source = next((name for name in node.input if name not in zeros), None)
        if node.op_type == "Cast" and node.input[0] in pixels and to == TensorProto.UINT8:
            source = image
        if source is None or node.output[0] in outputs:
            kept.append(node)
        else:
            same[node.output[0]] = source
    _replace(result.graph.node, kept)
    return result


def without_dead_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove nodes, constants and operator sets that no output depends on."""
    result = _copy(model)
    needed = {output.name for output in result.graph.output}
    alive = []
    for node in reversed(result.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            alive.append(node)
    kept = [item for item in result.graph.initializer if item.name in needed]
    domains = {node.domain for node in alive}
    opsets = [opset for opset in result.opset_import if opset.domain in domains]
    _replace(result.graph.node, alive[::-1])
    _replace(result.graph.initializer, kept)
    _replace(result.opset_import, opsets)
    return result


def with_plain_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name nodes after their operator and position, and tensors after their node.

    Keras numbers its layers throughout a process. With names made from these numbers, two exports
    of one model would have different bytes. Profiles also show these names, so they are readable.
    """
    result = _copy(model)
    keep = {item.name for item in (*result.graph.input, *result.graph.output)}
    constants = {item.name for item in result.graph.initializer}
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for node in result.graph.node:
        counts[node.op_type] += 1
        node.name = f"{node.op_type.lower()}_{counts[node.op_type]}"
        for slot, name in enumerate(node.input):
            if name in constants:
                names.setdefault(name, f"{node.name}.{_role(node.op_type, slot)}")
        for slot, name in enumerate(node.output):
            if name not in keep:
                names[name] = f"{node.name}.out" + str(slot or "")
    for node in result.graph.node:
        _replace(node.input, [names.get(name, name) for name in node.input])
        _replace(node.output, [names.get(name, name) for name in node.output])
    for item in result.graph.initializer:
        item.name = names.get(item.name, item.name)
    result.graph.name = "galaxy_edge"
    result.graph.ClearField("value_info")
    result.graph.ClearField("doc_string")
    for value in (*result.graph.input, *result.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    return result


def _role(operator: str, slot: int) -> str:
    if operator == "Reshape":
        return "shape"
    if operator in ("Mul", "Add"):
        return "constant"
    return {1: "weight", 2: "bias"}.get(slot, f"input{slot}")


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def _replace(field, items) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a protobuf field
    kept = list(items)
    del field[:]
    field.extend(kept)


def tail(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The last layers and what follows them: the nodes whose results reach no other layer."""
    found: list[onnx.NodeProto] = []
    read: set[str] = set()
    for node in reversed(model.graph.node):
        if not read.isdisjoint(node.output):
            read.update(node.input)
            continue
        found.append(node)
        if node.op_type in LAYERS:
            read.update(node.input)
    return found[::-1]


def colours(model: onnx.ModelProto) -> int:
    """The number of channels of the image that a model takes."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[3].dim_value)


def readers(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each tensor, by the name of the tensor."""
    found: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found
