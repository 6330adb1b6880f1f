"""When training stops. It depends only on the history, so a resumed run stops at the same epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Epoch: TypeAlias = Mapping[str, float]


def best_epoch(history: Sequence[Epoch]) -> int:
    """Index of the epoch with the lowest validation loss; the earliest one if several are equal."""
    losses = [epoch["val_loss"] for epoch in history]
    # NaN must never be the best; plain comparisons with NaN are always false.
    return min(range(len(losses)), key=lambda i: (losses[i] != losses[i], losses[i]))


def reason_to_stop(
    history: Sequence[Epoch], *, epochs: int, patience: int | None, stop_at_accuracy: float | None
) -> str | None:
    """Why training stops after the last epoch of the history, or None if it continues.

    Args:
        history: one mapping per finished epoch, with ``val_loss`` and ``val_accuracy``.
        epochs: stop after this many epochs.
        patience: stop when the validation loss has not improved for this many epochs; None never
            does.
        stop_at_accuracy: stop when the last validation accuracy reaches this value.
    """
    if not history:
        return None
    accuracy = history[-1]["val_accuracy"]
    if stop_at_accuracy is not None and accuracy >= stop_at_accuracy:
        return f"validation accuracy {accuracy:.4f} reached {stop_at_accuracy:g}"
    if patience is not None and len(history) - 1 - best_epoch(history) >= patience:
        return f"no better validation loss for {patience} epochs"
    if len(history) >= epochs:
        return f"all {epochs} epochs done"
    return None
