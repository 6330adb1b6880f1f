"""The typicality as ONNX operators, in fp32, beside a finished network.

It reads the image and, with an open class, the score; it changes no node of the network. All sums
over pixels are products of matrices, which onnxruntime computes fastest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from galaxy_edge.manifest import INPUT_NAME
from galaxy_edge_export.building import Piece
from galaxy_edge_export.graph import BATCH
from galaxy_edge_export.typicality.description import Description, OpenClass
from galaxy_edge_export.typicality.gaussians import Familiar
from galaxy_edge_export.typicality.statistics import (
    CLIP,
    COUNT,
    FAINT_CORRELATION,
    FAINT_LEVEL,
    FAINT_SHARE,
    FAINT_SPREAD,
    PAIRS,
    SCALES,
    SHRINK,
)
from galaxy_edge_export.typicality.view import View

#: Name of the output.
OUTPUT = "typicality"
_BANDS = 3


def with_typicality(
    model: onnx.ModelProto, description: Description, scores: str
) -> onnx.ModelProto:
    """Add the output `OUTPUT`, float32 [N].

    Args:
        model: the finished network, with the input `INPUT_NAME`.
        description: what is usual.
        scores: name of the output with the scores.
    """
    opened = description.open_class
    groups = [description.familiar, *([] if opened is None else [opened.familiar])]
    piece = Piece(OUTPUT)
    side = description.view.side
    logarithms = _logarithms(piece, _pixels(piece, description.view), side)
    shares = _shares(piece, _surprises(piece, logarithms, side, groups), groups)
    if opened is not None:
        shares = _gated(piece, shares, description, opened, scores)
    piece.add("ReduceMax", shares, np.array([1]), keepdims=0, output=OUTPUT)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.node.extend(piece.nodes)
    result.graph.initializer.extend(piece.constants)
    result.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [BATCH]))
    onnx.checker.check_model(result, full_check=True)
    return result


def _number(value: float) -> npt.NDArray[np.float32]:
    return np.array(value, np.float32)


def _pixels(piece: Piece, view: View) -> str:
    """Float32 [N, 3, side, side], grey levels."""
    image = INPUT_NAME
    if view.side < view.size:
        ends = [np.array([end, end]) for end in (view.start, view.start + view.side)]
        image = piece.add("Slice", image, *ends, np.array([1, 2]))
    bands = piece.add("Transpose", image, perm=[0, 3, 1, 2])
    return piece.add("Cast", bands, to=TensorProto.FLOAT)


def _logarithms(piece: Piece, pixels: str, side: int) -> str:
    """The logarithms of which the statistics are differences: float32 [N, the terms]."""
    tables: list[str] = []
    bands = pixels
    for number, scale in enumerate(SCALES):
        if number:
            pixels = piece.add("AveragePool", pixels, kernel_shape=[2, 2], strides=[2, 2])
        channels = _BANDS * len(scale.filters)
        count = (side // 2**number - 2) ** 2
        weights = np.zeros((channels, _BANDS, 3, 3), np.float32)
        for channel in range(channels):
            weights[channel, channel % _BANDS] = scale.kernels[channel // _BANDS]
        residual = piece.add("Conv", pixels, weights)
        clipped = piece.add("Clip", residual, _number(-CLIP), _number(CLIP))
        flat = piece.add("Reshape", clipped, np.array([-1, channels, count]))
        tables.append(_products(piece, flat, channels))
        if scale.share:
            steps = piece.add("Clip", flat, _number(-1), _number(1))
            tables.append(piece.add("ReduceSumSquare", steps, np.array([2]), keepdims=0))
    tables.append(piece.add("ReduceSum", bands, np.array([2, 3]), keepdims=0))
    terms = _Terms(side)
    picked = piece.add("Gather", piece.add("Concat", *tables, axis=1), terms.places, axis=1)
    return piece.add("Log", piece.add("Gemm", picked, terms.weights, terms.faint))


def _products(piece: Piece, channels: str, count: int) -> str:
    """Sums over pixels of the products of all pairs of channels: [N, count * count]."""
    table = piece.add("MatMul", channels, piece.add("Transpose", channels, perm=[0, 2, 1]))
    return piece.add("Reshape", table, np.array([-1, count * count]))


class _Terms:
    """What the statistics are logarithms of: sums of entries of the tables.

    Channels are ordered by filter, then by band.

    Args:
        side: of the pixels.

    Attributes:
        places: the entries that are needed.
        weights: from these entries to the terms.
        faint: added to the terms.
        differences: from the logarithms of the terms to the statistics.
    """

    def __init__(self, side: int) -> None:
        squares: list[tuple[int, float]] = []
        products: list[tuple[int, float]] = []
        ends: list[tuple[int, int]] = []
        shares: list[tuple[int, float]] = []
        start = 0
        for number, scale in enumerate(SCALES):
            channels = _BANDS * len(scale.filters)
            weight = 1 / (side // 2**number - 2) ** 2
            own = [(start + one * (channels + 1), weight) for one in range(channels)]
            for first in range(0, channels, _BANDS):
                ends += [(len(squares) + first + i, len(squares) + first + j) for i, j in PAIRS]
                products += [(start + (first + i) * channels + first + j, weight) for i, j in PAIRS]
            squares += own
            start += channels**2
            if scale.share:
                shares += [(start + one, weight) for one in range(channels)]
                start += channels
        levels = [(start + band, 1 / side**2) for band in range(_BANDS)]
        entries = [*squares, *products, *shares, *levels]
        self.places = np.array([place for place, _ in entries])
        pick = np.diag([weight for _, weight in entries])
        square, product, last = np.split(pick, [len(squares), len(squares) + len(products)], 1)
        both = square[:, [i for i, _ in ends]] + square[:, [j for _, j in ends]]
        twice = 2 * SHRINK * product
        self.weights = np.concatenate([square, both + twice, both - twice, last], axis=1)
        spread, pairs = len(squares), len(products)
        faint = (FAINT_SPREAD, 2 * FAINT_CORRELATION, FAINT_SHARE, FAINT_LEVEL)
        self.faint = np.repeat(faint, (spread, 2 * pairs, len(shares), len(levels)))
        one = np.eye(COUNT)
        half = 0.5 * one[spread : spread + pairs]
        self.differences = np.concatenate([one[:spread], half, -half, one[spread + pairs :]])


def _surprises(piece: Piece, logarithms: str, side: int, groups: Sequence[Familiar]) -> str:
    """The negative of the log density, [N, S, 1] for the S sources of all groups."""
    sources = [source for group in groups for source in group.sources]
    differences = _Terms(side).differences
    # fp32 is precise near 0: what is usual on the whole is subtracted first.
    means = [np.linalg.solve(one.whiten.T, one.centre) for one in sources]
    usual = np.linalg.pinv(differences.T) @ np.mean(means, axis=0)
    # Half the squared distance.
    whiten = np.concatenate([one.whiten for one in sources], axis=1) * np.sqrt(0.5)
    centre = np.concatenate([one.centre for one in sources]) * np.sqrt(0.5)
    whiten = differences @ whiten
    near = piece.add("Sub", logarithms, usual)
    away = piece.add("Gemm", near, whiten, usual @ whiten - centre)
    away = piece.add("Reshape", away, np.array([-1, len(sources), COUNT]))
    half = piece.add("ReduceSumSquare", away, np.array([2]), keepdims=1)
    return piece.add("Add", half, np.array([[one.constant] for one in sources]))


def _shares(piece: Piece, surprises: str, groups: Sequence[Familiar]) -> str:
    """The calibrated share of each source, [N, S]: a sum of ramps, one between each two knots.

    The calibration only ever increases, so that of the most typical source is the largest.
    """
    most = max(len(group.shares) for group in groups) - 1
    knots = np.zeros((3, sum(len(group.sources) for group in groups), most))
    first = 0
    for group in groups:
        widths = np.diff(group.densities)
        ramps = (-group.densities[:-1], widths, np.diff(group.shares) / widths)
        for place, values in enumerate(ramps):
            knots[place, first : first + len(group.sources), : len(widths)] = values
        first += len(group.sources)
    starts, widths, slopes = knots
    climbed = piece.add("Relu", piece.add("Sub", starts, surprises))
    ramps_climbed = piece.add("Mul", piece.add("Min", climbed, widths), slopes)
    share = piece.add("ReduceSum", ramps_climbed, np.array([2]), keepdims=0)
    return piece.add("Clip", share, _number(0), _number(1))


def _gated(
    piece: Piece, shares: str, description: Description, opened: OpenClass, scores: str
) -> str:
    """The shares, but 0 for the open class's sources unless the score gives the open class."""
    closed = np.zeros(len(description.familiar.sources) + len(opened.familiar.sources))
    closed[: len(description.familiar.sources)] = 1
    comparison = "Greater" if opened.label else "LessOrEqual"
    called = piece.add(comparison, scores, np.array(opened.largest_below))
    counts = piece.add("Max", piece.add("Cast", called, to=TensorProto.FLOAT), closed)
    return piece.add("Mul", shares, counts)
