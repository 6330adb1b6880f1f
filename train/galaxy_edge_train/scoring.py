"""The scores of a network for labelled images, and what they decide."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from galaxy_edge.decision import Decision
from galaxy_edge.inputs.labelled import Loaded
from galaxy_edge.manifest import DecisionRule, Manifest, Outputs
from galaxy_edge_train.batches import Batches
from galaxy_edge_train.config import TrainConfig


def in_order(images: Loaded, config: TrainConfig) -> Batches:
    """The images as batches, neither shuffled nor augmented."""
    return Batches(
        images.pixels,
        images.labels,
        config.batch_size,
        config.preprocessing,
        classes=len(config.classes),
    )


def scores(model: keras.Model, images: Loaded, config: TrainConfig) -> npt.NDArray[np.float32]:
    """Float32 [N, C], one probability per class."""
    output = np.asarray(model.predict(in_order(images, config), verbose=0), dtype=np.float32)
    return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output


def decision(config: TrainConfig) -> Decision:
    """The decision at the threshold that export records."""
    if len(config.classes) == 2:
        return Decision(Manifest(classes=config.classes))
    return Decision(Manifest(config.classes, Outputs("scores"), DecisionRule(None)))


def accuracy(model: keras.Model, images: Loaded, config: TrainConfig) -> float:
    """The share of images whose class is chosen, 0 to 1."""
    chosen = decision(config).choose(scores(model, images, config))
    return float(np.mean(chosen == images.labels))
