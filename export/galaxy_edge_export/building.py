"""Collects the nodes and constants of a piece of an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_Input = str | npt.NDArray[np.generic]


class Piece:
    """A piece of a graph.

    Args:
        prefix: begins the names of its nodes and constants.

    Attributes:
        nodes: in the order in which they were added.
        constants: in fp32, and int64 for whole numbers.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def add(self, operator: str, *inputs: _Input, output: str = "", **attributes: Any) -> str:
        """Add a node with one output.

        Args:
            operator: of ONNX.
            inputs: names of tensors, and constants.
            output: name of its output; by default after the operator.
            attributes: of the operator.

        Returns:
            The name of its output.
        """
        name = f"{self._prefix}.{operator.lower()}_{len(self.nodes) + 1}"
        sources = []
        for place, value in enumerate(inputs):
            if isinstance(value, str):
                sources.append(value)
                continue
            sources.append(f"{name}.input{place}")
            kind = np.int64 if value.dtype.kind == "i" else np.float32
            self.constants.append(numpy_helper.from_array(value.astype(kind), sources[-1]))
        made = output or f"{name}.out"
        self.nodes.append(helper.make_node(operator, sources, [made], name, **attributes))
        return made
