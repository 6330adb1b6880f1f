"""Numbers and tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from galaxy_edge.evaluation.bootstrap import Interval

#: Printed in place of a number that is undefined.
NONE = "–"  # noqa: RUF001 - a dash, as is usual in tables
Rows: TypeAlias = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """One table.

    Attributes:
        title: its heading; None if it belongs to the table before it.
        rows: the cells.
        header: whether the first row is a header.
    """

    title: str | None
    rows: Rows
    header: bool = True


def number(value: float | None) -> str:
    """Format a number with four decimals."""
    return NONE if value is None else f"{value:.4f}"


def interval(value: Interval | None) -> str:
    """Format the two ends of an interval, in brackets."""
    return "" if value is None else f"[{value[0]:.4f}, {value[1]:.4f}]"


def aligned(rows: Rows) -> str:
    """Align the first column to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def labelled(share: float | None, accuracy: float | None) -> list[tuple[str, str, str]]:
    """Rows about images without a label, if there are any.

    Args:
        share: of the images with a label.
        accuracy: of those.
    """
    if share is None or share == 1:
        return []
    return [("share with a label", number(share), ""), ("accuracy of those", number(accuracy), "")]
