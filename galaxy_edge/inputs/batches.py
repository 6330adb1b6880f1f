"""Inputs in growing batches, so that the first result does not wait for many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from galaxy_edge.inputs.source import Given

Taken = TypeVar("Taken")


def growing(
    items: Iterable[Given | None],
    take: Callable[[Given], Taken],
    first: int,
    largest: int,
    fault: list[Exception],
) -> Iterator[list[Taken]]:
    """Batches of items; an empty one if no more are available now.

    Args:
        items: None means that no other is available now: a batch ends there.
        take: called with each item before the next one is requested.
        first: size of the first batch. Each next one is twice as large.
        largest: size of the largest.
        fault: gets what iterating over the items raises, after a last batch of those before.
    """
    size = first
    batch: list[Taken] = []
    todo = iter(items)
    while True:
        try:
            item = next(todo)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 - the caller raises it when all before it is done
            fault.append(error)
            break
        if item is not None:
            batch.append(take(item))
        if batch and (item is None or len(batch) == size):
            yield batch
            batch = []
            size = min(2 * size, largest)
        if item is None:
            yield []
    if batch:
        yield batch
