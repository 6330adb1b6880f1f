"""What a quantised file contains, read from the file itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

_LAYERS = ("Conv", "Gemm", "MatMul", "ConvTranspose")
_DENSE = ("Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class Contents:
    """The layers of a quantised file.

    Attributes:
        bits: bits of the weights of each quantised layer, by the layer's name.
        dense: the names among them that are dense layers.
        floats: the reason why a layer stays in float, by the layer's name.
    """

    bits: dict[str, int]
    dense: frozenset[str]
    floats: dict[str, str]


def read(model: onnx.ModelProto, last: list[str]) -> Contents:
    """Read which layers of a QDQ model are quantised.

    Args:
        model: the finished model.
        last: the layer that stays in float on purpose, if there is one.
    """
    constants = {item.name: item for item in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    bits: dict[str, int] = {}
    floats: dict[str, str] = {}
    dense = set()
    for node in model.graph.node:
        if node.op_type not in _LAYERS:
            continue
        maker = makers.get(node.input[1])
        if maker is not None and maker.op_type == "DequantizeLinear":
            bits[node.name] = _bits(maker.input[0], constants, node.op_type in _DENSE)
            if node.op_type in _DENSE:
                dense.add(node.name)
        elif node.name in last:
            floats[node.name] = "last layer, on purpose"
        elif node.input[1] in constants:
            floats[node.name] = f"{node.op_type} of this form is not quantised"
    return Contents(bits, frozenset(dense), floats)


def _bits(weights: str, constants: dict[str, onnx.TensorProto], dense: bool) -> int:  # noqa: FBT001
    stored = constants.get(weights)
    if stored is None:
        return 4  # unpacked by `nibbles`
    largest = int(np.abs(numpy_helper.to_array(stored).astype(int)).max(initial=0))
    if dense and largest <= 7:
        return 4
    return 7 if largest <= 64 else 8
