"""What all figures of an evaluation share."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter


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
