"""Batches of training and validation images, made in threads while the network computes."""

from __future__ import annotations

import math
import os

import keras
import numpy as np
import numpy.typing as npt

from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.augmentation import Floats, augment
from galaxy_edge_train.config import AugmentConfig
from galaxy_edge_train.degradation import degrade


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches that depend only on seed, epoch and index.

    A batch has the same images with the same transforms regardless of the thread that makes it,
    the order in which batches are made, and restarts of the process.

    Args:
        images: uint8 [N, size, size, 3], or of the working size if they are to be degraded (see
            `degradation.preprocessing_before_degradation`).
        labels: uint8 [N], indices of classes.
        batch_size: images per batch; the last batch of an epoch may be smaller.
        preprocessing: the preprocessing of the model.
        config: augmentation, or None to neither augment nor shuffle.
        seed: seed of the shuffling and the augmentation.
        epoch: the first epoch, counted from 0.
        classes: number of classes.
    """

    def __init__(
        self,
        images: Pixels,
        labels: npt.NDArray[np.uint8],
        batch_size: int,
        preprocessing: Preprocessing,
        config: AugmentConfig | None = None,
        seed: int = 0,
        epoch: int = 0,
        classes: int = 2,
    ) -> None:
        super().__init__(workers=max(2, os.cpu_count() or 1), max_queue_size=8)
        self._images = images
        #: What the network learns to give: [N, 1] for two classes, [N, C] for more.
        self._targets = labels[:, None] if classes == 2 else labels[:, None] == np.arange(classes)
        self._batch_size = batch_size
        self._preprocessing = preprocessing
        self._config = config
        self._seed = seed
        self._start_epoch(epoch)

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return math.ceil(len(self._images) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        """Batch ``index`` of this epoch.

        Returns:
            Images, float32 [B, size, size, 3] in 0 to 1; and targets, float32 [B, 1] for two
            classes, 0 or 1, and [B, C], one 1 in each row, for more.
        """
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        pixels = self.pixels(index)
        if self._config is None:
            batch = pixels.astype(np.float32)
        else:
            rng = np.random.default_rng([self._seed, self._epoch, index])
            if self._config.degrades:
                pixels = degrade(pixels, self._config, self._preprocessing, rng)
            batch = augment(pixels, self._config, rng)
        return batch / np.float32(255), self._targets[chosen].astype(np.float32)

    def pixels(self, index: int) -> Pixels:
        """Batch ``index`` before augmentation: uint8 [B, size, size, 3]."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle again. Keras calls this after the threads that make batches have stopped."""
        self._start_epoch(self._epoch + 1)

    def _start_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._order = np.arange(len(self._images))
        if self._config is not None:
            # No batch has this index, so that shuffling and augmentation use different numbers.
            rng = np.random.default_rng([self._seed, epoch, 2**32 - 1])
            self._order = rng.permutation(len(self._images))
