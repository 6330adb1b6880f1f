"""What all figures of an evaluation share."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from galaxy_edge.outputs.text import printable


@contextmanager
def drawn(width: float, height: float) -> Iterator[tuple[Figure, io.BytesIO]]:
    """Make a figure, with its size in inches, and draw it into the file when the block ends."""
    file = io.BytesIO()
    # A dollar sign in a folder name must not start a formula, and letters missing from the font
    # must not cause warnings.
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, file
        figure.savefig(file, format="png", dpi=120)


def plain_numbers(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: powers of ten need formulas, which are off."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def say(axes: Axes, text: str) -> None:
    """Write a sentence in the middle of an empty diagram."""
    axes.text(0.5, 0.5, text, ha="center", va="center", backgroundcolor="white")


def confusion(classes: Sequence[str], table: npt.ArrayLike) -> bytes:
    """A confusion matrix: numbers of images, and shares of the true class as shades.

    Args:
        classes: names of the C classes.
        table: int [C, C], the true class by row and the called class by column.

    Returns:
        The contents of a PNG file.
    """
    counts = np.asarray(table)
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    names = [printable(name) for name in classes]
    side = 2.4 + 0.8 * len(names)
    with drawn(side + 0.8, side) as (figure, file):
        axes = figure.subplots()
        image = axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            axes.text(
                column, row, f"{count:,}" + ("" if np.isnan(share) else f"\n{share:.2f}"),
                ha="center", va="center", fontsize="small",
                color="white" if share > 0.6 else "#222222",
            )  # fmt: skip
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="called", ylabel="true class", title="Confusion: images, share of the row")
        figure.colorbar(image, ax=axes, shrink=0.8)
    return file.getvalue()
