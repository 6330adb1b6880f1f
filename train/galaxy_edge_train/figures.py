"""The three documented figures of a run, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import confusion_matrix

from galaxy_edge.evaluation.plotting import confusion
from galaxy_edge.files import replacing

Rows = Sequence[Mapping[str, float]]


def draw(folder: Path, batches: Rows, epochs: Rows) -> None:
    """Write ``batch_accuracy.png``, ``epoch_accuracy.png`` and ``epoch_loss.png``.

    Args:
        folder: where to write them.
        batches: one row per batch, with ``accuracy``.
        epochs: one row per epoch, with ``accuracy``, ``loss`` and their ``val_`` counterparts.
    """
    figure, title = Figure(figsize=(7, 4), layout="constrained"), "Accuracy during batch training"
    axes = figure.subplots()
    axes.plot(
        range(1, len(batches) + 1), [row["accuracy"] for row in batches], lw=0.6, color="#3b6ea5"
    )
    axes.set(title=title, xlabel="batch", ylabel="accuracy", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    with replacing(folder / "batch_accuracy.png") as path:
        figure.savefig(path, dpi=120)
    _epochs(folder / "epoch_accuracy.png", epochs, "accuracy")
    _epochs(folder / "epoch_loss.png", epochs, "loss")


def draw_confusion(
    folder: Path,
    labels: npt.NDArray[np.uint8],
    chosen: npt.NDArray[np.intp],
    classes: Sequence[str],
) -> None:
    """Write ``confusion.png``, the confusion matrix of the validation images.

    Args:
        folder: where to write it.
        labels: [N], the classes of the images.
        chosen: [N], the classes they are taken for.
        classes: names of the classes.
    """
    table = confusion_matrix(labels, chosen, labels=range(len(classes)))
    with replacing(folder / "confusion.png") as path:
        path.write_bytes(confusion(classes, table))


def _epochs(path: Path, epochs: Rows, name: str) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    numbers = range(1, len(epochs) + 1)
    axes.plot(numbers, [row[name] for row in epochs], "o-", ms=4, color="#3b6ea5", label="training")
    axes.plot(
        numbers,
        [row[f"val_{name}"] for row in epochs],
        "s--",
        ms=4,
        color="#c8553d",
        label="validation",
    )
    axes.set(title=f"{name.capitalize()} during epoch training", xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0 if name == "loss" else None)
    axes.legend()
    axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
