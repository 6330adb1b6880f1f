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
from galaxy_edge_export.graph import BATCH
from galaxy_edge_export.typicality.building import Piece
from galaxy_edge_export.typicality.description import Description, OpenClass
from galaxy_edge_export.typicality.gaussians import Familiar
from galaxy_edge_export.typicality.statistics import (
    CLIP,
    COUNT,
    FAINT_CORRELATION,
    FAINT_SPREAD,
    PAIRS,
    SCALES,
    SHRINK,
)
from galaxy_edge_export.typicality.view import RAMP, View

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
    found = _statistics(piece, _pixels(piece, description.view), description.view.side)
    surprises = _surprises(piece, found, groups)
    shares = [_share(piece, one, group) for one, group in zip(surprises, groups, strict=True)]
    typicality = shares[0] if opened is None else _gated(piece, shares, opened, scores)
    piece.add("Reshape", typicality, np.array([-1]), output=OUTPUT)
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
    if view.undo is None and view.side < view.size:
        ends = [np.array([end, end]) for end in (view.start, view.start + view.side)]
        image = piece.add("Slice", image, *ends, np.array([1, 2]))
    bands = piece.add("Transpose", image, perm=[0, 3, 1, 2])
    bands = piece.add("Cast", bands, to=TensorProto.FLOAT)
    if view.undo is None:
        return bands
    rows = piece.add("MatMul", view.undo, bands)
    small = piece.add("MatMul", rows, view.undo.T)
    below = piece.add("Floor", small)
    steep = piece.add("Mul", piece.add("Sub", small, below), _number(RAMP))
    ramp = piece.add("Sub", steep, _number((RAMP - 1) / 2))
    ramp = piece.add("Clip", ramp, _number(0), _number(1))
    return piece.add("Clip", piece.add("Add", below, ramp), _number(0), _number(255))


def _statistics(piece: Piece, pixels: str, side: int) -> str:
    """Float32 [N, `COUNT`], as `statistics.statistics` orders them."""
    tables: list[str] = []
    picks: list[_Picks] = []
    for scale in SCALES:
        channels = _BANDS * len(scale.filters)
        count = (side - 2) ** 2
        weights = np.zeros((channels, _BANDS, 3, 3), np.float32)
        for channel in range(channels):
            weights[channel, channel % _BANDS] = scale.kernels[channel // _BANDS]
        residual = piece.add("Conv", pixels, weights)
        clipped = piece.add("Clip", residual, _number(-CLIP), _number(CLIP))
        flat = piece.add("Reshape", clipped, np.array([-1, channels, count]))
        tables.append(_products(piece, flat, channels))
        picks.append(_Picks(channels, count, start=sum(one.size for one in picks)))
        if scale.share:
            steps = piece.add("Clip", flat, _number(-1), _number(1))
            tables.append(_products(piece, steps, channels))
            picks.append(_Picks(channels, count, picks[-1].end, steps=True))
        pixels = piece.add("AveragePool", pixels, kernel_shape=[2, 2], strides=[2, 2])
        side //= 2
    return _from_products(piece, piece.add("Concat", *tables, axis=1), picks)


def _products(piece: Piece, channels: str, count: int) -> str:
    """Sums over pixels of the products of all pairs of channels: [N, count * count]."""
    table = piece.add("MatMul", channels, piece.add("Transpose", channels, perm=[0, 2, 1]))
    return piece.add("Reshape", table, np.array([-1, count * count]))


class _Picks:
    """Picks mean squares and mean products of bands from a table of `_products`.

    Channels are ordered by filter, then by band.
    """

    def __init__(self, channels: int, pixels: int, start: int, *, steps: bool = False) -> None:
        self.steps = steps
        self.size = channels**2
        self.end = start + self.size
        self.weight = 1 / pixels
        self.squares = [start + one * (channels + 1) for one in range(channels)]
        self.pairs = [
            (filter_ + one, filter_ + other)
            for filter_ in range(0, channels, _BANDS)
            for one, other in PAIRS
        ]
        self.products = [start + one * channels + other for one, other in self.pairs]


def _from_products(piece: Piece, table: str, picks: Sequence[_Picks]) -> str:
    """The statistics from all tables, joined."""
    plain = [one for one in picks if not one.steps]
    squares = [(place, one.weight) for one in plain for place in one.squares]
    products = [(place, one.weight) for one in plain for place in one.products]
    ends = [
        [(one.squares[pair[side]], one.weight) for one in plain for pair in one.pairs]
        for side in (0, 1)
    ]
    steps = [(place, one.weight) for one in picks if one.steps for place in one.squares]
    columns = [squares, products, *ends, steps]
    places, weights = zip(*(pick for some in columns for pick in some), strict=True)
    picked = piece.add("Gather", table, np.array(places), axis=1)
    means = piece.add("Mul", picked, np.array(weights))
    square, product, one, other, share = piece.split(means, [*map(len, columns)])
    spread = piece.add("Log", piece.add("Add", square, _number(FAINT_SPREAD)))
    faint = _number(FAINT_CORRELATION)
    both = piece.add("Mul", piece.add("Add", one, faint), piece.add("Add", other, faint))
    correlation = piece.add("Div", product, piece.add("Sqrt", both))
    shrunk = piece.add("Mul", correlation, _number(SHRINK))
    ratio = piece.add(
        "Div", piece.add("Add", _number(1), shrunk), piece.add("Sub", _number(1), shrunk)
    )
    fisher = piece.add("Mul", piece.add("Log", ratio), _number(0.5))
    return piece.add("Concat", spread, fisher, share, axis=1)


def _surprises(piece: Piece, statistics: str, groups: Sequence[Familiar]) -> list[str]:
    """The negative of the best log density, [N, 1] for each group."""
    sources = [source for group in groups for source in group.sources]
    # fp32 is precise near 0: what is usual on the whole is subtracted first.
    usual = np.mean([np.linalg.solve(one.whiten.T, one.centre) for one in sources], axis=0)
    # Half the squared distance.
    whiten = np.concatenate([one.whiten for one in sources], axis=1) * np.sqrt(0.5)
    centre = np.concatenate([one.centre for one in sources]) * np.sqrt(0.5) - usual @ whiten
    near = piece.add("Sub", statistics, usual)
    away = piece.add("Sub", piece.add("MatMul", near, whiten), centre)
    away = piece.add("Reshape", away, np.array([-1, len(sources), COUNT]))
    half = piece.add("ReduceSumSquare", away, np.array([2]), keepdims=0)
    surprise = piece.add("Add", half, np.array([one.constant for one in sources]))
    sizes = [len(group.sources) for group in groups]
    parts = [surprise] if len(groups) == 1 else piece.split(surprise, sizes)
    return [piece.add("ReduceMin", part, np.array([1]), keepdims=1) for part in parts]


def _share(piece: Piece, surprise: str, familiar: Familiar) -> str:
    """The calibrated share, [N, 1]: a sum of ramps, one between each pair of knots."""
    starts, widths = familiar.densities[:-1], np.diff(familiar.densities)
    slopes = np.diff(familiar.shares) / widths
    climbed = piece.add("Relu", piece.add("Sub", -starts, surprise))
    ramps = piece.add("Min", climbed, widths)
    share = piece.add("MatMul", ramps, slopes[:, None])
    return piece.add("Clip", share, _number(0), _number(1))


def _gated(piece: Piece, shares: Sequence[str], opened: OpenClass, scores: str) -> str:
    """The share of the closed class; where the network says the open class, the larger one."""
    closed, other = shares
    called = piece.add("Greater", scores, np.array(opened.largest_below))
    either = piece.add("Max", closed, other)
    choices = (either, closed) if opened.label else (closed, either)
    return piece.add("Where", called, *choices)
