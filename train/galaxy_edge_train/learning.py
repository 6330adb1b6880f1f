"""One training: a network, its data and its callbacks."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from galaxy_edge_train.batches import Batches
from galaxy_edge_train.config import TrainConfig
from galaxy_edge_train.dataset import Dataset
from galaxy_edge_train.optimizer import optimizer
from galaxy_edge_train.scoring import in_order


def prepare(model: keras.Model, config: TrainConfig, images: int) -> None:
    """Give a network its loss and its optimizer.

    Args:
        model: the network.
        config: classes, learning rate and schedule.
        images: number of training images.
    """
    kind = "binary" if len(config.classes) == 2 else "categorical"
    model.compile(
        optimizer=optimizer(config, images), loss=f"{kind}_crossentropy", metrics=["accuracy"]
    )


def learn(
    model: keras.Model,
    data: Dataset,
    config: TrainConfig,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    done: int = 0,
    first: int = 0,
) -> None:
    """Train a prepared network.

    Args:
        model: the network, from `prepare`.
        data: its splits ``Train`` and ``Valid`` are used.
        config: batch size, epochs, augmentation, class weights and seed.
        callbacks: what happens after each batch and epoch.
        done: epochs that are already done.
        first: the number of the first epoch, from which shuffling and augmentation are drawn.
    """
    model.fit(
        training_batches(data, config, first + done),
        class_weight=class_weights(data, config),
        validation_data=in_order(data.splits["Valid"], config),
        initial_epoch=done,
        epochs=config.epochs,
        callbacks=list(callbacks),
        shuffle=False,  # `Batches` shuffles, from the seed
        verbose=0,
    )


def training_batches(data: Dataset, config: TrainConfig, epoch: int) -> Batches:
    """The training images, shuffled and augmented as in an epoch, counted from 0."""
    train = data.splits["Train"]
    return Batches(
        train.pixels,
        train.labels,
        config.batch_size,
        config.preprocessing,
        config.augment,
        config.seed,
        epoch,
        len(config.classes),
    )


def class_weights(data: Dataset, config: TrainConfig) -> dict[int, float] | None:
    """The weight of an image of each class: all classes weigh the same, and 1 on average."""
    if config.class_weights == "off":
        return None
    counts = data.counts("Train")
    total = sum(counts.values())
    return {
        label: total / (len(counts) * count) for label, count in enumerate(counts.values()) if count
    }
