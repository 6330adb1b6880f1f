"""Move the enlargement of images from the runtime into the file.

A network may look at images at 64 pixels and take them enlarged to 150. In the file, the
enlargement is two matrix products over a batch, which take less time than Pillow, and whatever else
the file computes sees the image at its working size. As in Pillow, rows are enlarged first, and
each of the two steps ends in whole grey levels. Pillow's weights are multiples of 2^-22, which fp32
holds exactly, but not their sums: of 64 pixels enlarged to 150, a few in 100,000 become the next
grey level. Other sizes may have more ties.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper
from onnxruntime import InferenceSession
from PIL import Image

from galaxy_edge.errors import GateError
from galaxy_edge.inputs.images import FILTERS, Pixels
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export.building import Piece

_ENLARGED = "enlarged"
_BANDS = 3
#: Pillow's weights are whole multiples of this.
_UNIT = 2.0**-22
#: Largest difference from Pillow, grey levels: a step that rounds elsewhere changes the next one.
_STEPS = 2
#: Largest share of the pixels that may differ.
_OTHER = 0.1


def inside(
    model: onnx.ModelProto, preprocessing: Preprocessing, drawn: Pixels
) -> tuple[onnx.ModelProto, Preprocessing]:
    """Enlarge images in the graph, if they are reduced first.

    Args:
        model: takes uint8 [N, size, size, 3] as `INPUT_NAME`.
        preprocessing: its preprocessing.
        drawn: images at the working size, to compare with Pillow, uint8 [N, side, side, 3].

    Returns:
        A graph that takes uint8 [N, side, side, 3], with the working size as side, and its
        preprocessing; or both as they were.

    Raises:
        GateError: the graph enlarges in another way than Pillow.
    """
    side, size = preprocessing.working_size, preprocessing.size
    if side is None or side >= size:
        return model, preprocessing
    piece = Piece("enlarge")
    _enlarge(piece, side, preprocessing)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    (image,) = graph.input
    for axis in (1, 2):
        image.type.tensor_type.shape.dim[axis].dim_value = side
    _check(piece, result, drawn, preprocessing)
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == INPUT_NAME:
                node.input[place] = _ENLARGED
    nodes = [*piece.nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(piece.constants)
    onnx.checker.check_model(result, full_check=True)
    return result, replace(preprocessing, size=side)


def _enlarge(piece: Piece, side: int, preprocessing: Preprocessing) -> None:
    size, resize = preprocessing.size, preprocessing.resize
    if resize == "nearest":
        places = (np.arange(size) * 2 + 1) * side // (2 * size)
        rows = piece.add("Gather", INPUT_NAME, places, axis=2)
        piece.add("Gather", rows, places, axis=1, output=_ENLARGED)
        return
    along = enlargement(side, size, resize)
    # The bands lie next to each other: without them a row would have to be transposed, which takes
    # longer than multiplying with zeros.
    across = np.kron(along.T, np.eye(_BANDS))
    image = piece.add("Cast", INPUT_NAME, to=TensorProto.FLOAT)
    image = piece.add("Reshape", image, np.array([-1, side, side * _BANDS]))
    # The weights of a pixel add up to 1, so that the half for rounding can be added before them.
    image = piece.add("MatMul", piece.add("Add", image, _HALF), across)
    image = piece.add("Floor", piece.add("Clip", image, *_GREY))
    image = piece.add("MatMul", along, piece.add("Add", image, _HALF))
    # A cast drops the fraction.
    image = piece.add("Cast", piece.add("Clip", image, *_GREY), to=TensorProto.UINT8)
    piece.add("Reshape", image, np.array([-1, size, size, _BANDS]), output=_ENLARGED)


_HALF = np.array(0.5)
#: Between them, a number that has a half added to it becomes 0 to 255 when its fraction is dropped.
_GREY = (np.array(0.0), np.array(255.5))


def enlargement(side: int, size: int, resize: str) -> npt.NDArray[np.float64]:
    """The weights of one axis, [size, side], as Pillow rounds them."""
    identity = Image.fromarray(np.eye(side, dtype=np.float32))
    weights = np.array(identity.resize((side, size), FILTERS[resize]), np.float64)
    return np.asarray(np.round(weights / _UNIT) * _UNIT)


def _check(
    piece: Piece, model: onnx.ModelProto, drawn: Pixels, preprocessing: Preprocessing
) -> None:
    output = helper.make_tensor_value_info(_ENLARGED, TensorProto.UINT8, None)
    alone = onnx.ModelProto()
    alone.CopyFrom(model)
    del alone.metadata_props[:]
    alone.graph.CopyFrom(
        helper.make_graph(piece.nodes, "enlarge", [*model.graph.input], [output], piece.constants)
    )
    session = InferenceSession(alone.SerializeToString(), providers=["CPUExecutionProvider"])
    (ours,) = session.run([_ENLARGED], {INPUT_NAME: drawn})
    size = preprocessing.size
    pillow = np.stack(
        [
            np.asarray(Image.fromarray(one).resize((size, size), FILTERS[preprocessing.resize]))
            for one in drawn
        ]
    )
    steps = np.abs(ours.astype(int) - pillow)
    other = np.mean(steps > 0)
    if steps.max() > _STEPS or other > _OTHER:
        raise GateError(
            f"the exported file enlarges images in another way than Pillow: {other:.1%} of the "
            f"pixels differ (the limit is {_OTHER:.0%}), by at most {steps.max()} grey levels (the "
            f"limit is {_STEPS}); nothing was written"
        )
