"""Grey images for models of one channel, made from RGB as Pillow's ``convert("L")`` makes them.

The grey level is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded to a byte. Pillow's weights
are multiples of 1 / 65,536 that add up to 1, so an image with three equal channels keeps its bytes.
In float32 all sums are exact too: they have at most 24 bits. Hence the file's grey levels are equal
to Pillow's to the bit, on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from galaxy_edge.inputs.images import Pixels
from galaxy_edge.manifest import INPUT_NAME

#: What the manifest and the note say.
DESCRIPTION = "0.299 R + 0.587 G + 0.114 B, rounded to a byte (Pillow's convert('L'))"
_WEIGHTS = np.array([19595, 38470, 7471], np.float32) / np.float32(65536)
_NAME = "grey"


def for_channels(images: Pixels, channels: int) -> Pixels:
    """Give images the channels that a model takes.

    Args:
        images: RGB, uint8 [N, size, size, 3].
        channels: 3 for RGB, 1 for grey.

    Returns:
        uint8 [N, size, size, channels].
    """
    if channels == 3:
        return images
    return np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])[
        ..., None
    ]


def with_rgb_input(model: onnx.ModelProto) -> onnx.ModelProto:
    """Make the grey image of a model of one channel inside the file.

    Args:
        model: takes ``image``, uint8 [N, size, size, 1 or 3].

    Returns:
        A model that takes ``image``, uint8 [N, size, size, 3]; the same object if it does already.
    """
    _, height, width, colours = model.graph.input[0].type.tensor_type.shape.dim
    if colours.dim_value == 3:
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        for slot, name in enumerate(node.input):
            if name == INPUT_NAME:
                node.input[slot] = _NAME
    constants = {
        "weights": _WEIGHTS.reshape(1, 3, 1, 1),
        "half": np.float32(0.5),
        "axis": np.array([1], np.int64),
        "shape": np.array([-1, height.dim_value, width.dim_value, 1], np.int64),
    }
    # onnxruntime adds planes up several times as fast as the colours of each pixel.
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Transpose", [], {"perm": [0, 3, 1, 2]}),
        ("Cast", [], {"to": TensorProto.FLOAT}),
        ("Mul", ["weights"], {}),
        ("ReduceSum", ["axis"], {"keepdims": 1}),
        ("Add", ["half"], {}),
        ("Floor", [], {}),
        ("Cast", [], {"to": TensorProto.UINT8}),
        ("Reshape", ["shape"], {}),
    ]
    nodes: list[onnx.NodeProto] = []
    tensor = INPUT_NAME
    for number, (operator, inputs, attributes) in enumerate(steps, 1):
        name = f"{_NAME}_{number}"
        output = _NAME if number == len(steps) else f"{name}.out"
        names = [tensor, *(f"{_NAME}.{item}" for item in inputs)]
        nodes.append(helper.make_node(operator, names, [output], name, **attributes))
        tensor = output
    rest = [*result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend([*nodes, *rest])
    result.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), f"{_NAME}.{name}")
        for name, value in constants.items()
    )
    result.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 3
    result.graph.ClearField("value_info")
    return result
