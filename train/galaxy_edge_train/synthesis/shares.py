"""How many images come from where."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(wanted: int, available: Sequence[int]) -> list[int]:
    """Take as evenly as possible from several stocks.

    Args:
        wanted: in all.
        available: in each stock.

    Returns:
        What each gives: ``wanted`` in all, or everything there is.
    """
    given = [0] * len(available)
    left = min(wanted, sum(available))
    # The smallest stock first: what it cannot give is shared among those that come after it.
    for done, i in enumerate(sorted(range(len(available)), key=lambda i: available[i])):
        given[i] = min(available[i], left // (len(available) - done))
        left -= given[i]
    return given


def split(total: int, parts: int) -> list[int]:
    """Divide into whole parts that differ by one at most, the larger first."""
    return [total // parts + (part < total % parts) for part in range(parts)]
