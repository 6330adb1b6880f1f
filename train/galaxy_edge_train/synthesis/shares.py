"""How many images each source contributes."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(wanted: int, available: Sequence[int]) -> list[int]:
    """Take items from several stocks, as evenly as possible.

    Args:
        wanted: number of items to take in total.
        available: number of items in each stock.

    Returns:
        The number to take from each stock. They add up to ``wanted``, or to everything available
        if that is less.
    """
    given = [0] * len(available)
    left = min(wanted, sum(available))
    # Smallest stock first: the larger ones after it share what it cannot give.
    for done, i in enumerate(sorted(range(len(available)), key=lambda i: available[i])):
        given[i] = min(available[i], left // (len(available) - done))
        left -= given[i]
    return given
