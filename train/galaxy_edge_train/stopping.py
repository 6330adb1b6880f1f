"""When training ends: decided from the history alone, so that a resumed run decides the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Epoch: TypeAlias = Mapping[str, float]


def best_epoch(history: Sequence[Epoch]) -> int:
    """Index of the epoch with the least validation loss, the earliest of equals."""
    losses = [epoch["val_loss"] for epoch in history]
    # NaN compares false with everything; it must never be the best.
    return min(range(len(losses)), key=lambda i: (losses[i] != losses[i], losses[i]))


def reason_to_stop(
    history: Sequence[Epoch], *, epochs: int, patience: int, stop_at_accuracy: float | None
) -> str | None:
    """Why no further epoch follows, or None.

    Args:
        history: one mapping for each epoch so far, with ``val_loss`` and ``val_accuracy``.
        epochs: stop after as many.
        patience: stop when the validation loss has not improved for as many.
        stop_at_accuracy: stop when the last validation accuracy reaches it.
    """
    if not history:
        return None
    accuracy = history[-1]["val_accuracy"]
    if stop_at_accuracy is not None and accuracy >= stop_at_accuracy:
        return f"validation accuracy {accuracy:.4f} reached {stop_at_accuracy:g}"
    if len(history) - 1 - best_epoch(history) >= patience:
        return f"no better validation loss for {patience} epochs"
    if len(history) >= epochs:
        return f"all {epochs} epochs done"
    return None
