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

    Whatever thread makes a batch, in whatever order, and in whatever process after a restart, it
    holds the same images with the same transforms.

    Args:
        images: uint8 [N, size, size, 3], or as `degradation.undegraded` makes them.
        labels: uint8 [N], 0 or 1.
        batch_size: images a batch; the last of an epoch may be smaller.
        preprocessing: the model's.
        config: augmentation, or None to neither augment nor shuffle.
        seed: of the shuffling and the augmentation.
        epoch: the first epoch, counted from 0.
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
    ) -> None:
        super().__init__(workers=max(2, os.cpu_count() or 1), max_queue_size=8)
        self._images = images
        self._labels = labels
        self._batch_size = batch_size
        self._preprocessing = preprocessing
        self._config = config
        self._seed = seed
        self._start_epoch(epoch)

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self._images) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        """Batch ``index`` of this epoch: float32 [B, size, size, 3] in 0 to 1, float32 [B, 1]."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        pixels = self.pixels(index)
        if self._config is None:
            batch = pixels.astype(np.float32)
        else:
            rng = np.random.default_rng([self._seed, self._epoch, index])
            if self._config.degrades:
                pixels = degrade(pixels, self._config, self._preprocessing, rng)
            batch = augment(pixels, self._config, rng)
        return batch / np.float32(255), self._labels[chosen].astype(np.float32)[:, None]

    def pixels(self, index: int) -> Pixels:
        """Batch ``index`` before augmentation: uint8 [B, size, size, 3]."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle anew; Keras calls this when the threads that make batches have stopped."""
        self._start_epoch(self._epoch + 1)

    def _start_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._order = np.arange(len(self._images))
        if self._config is not None:
            # The third number keeps the shuffling's stream apart from every batch's.
            rng = np.random.default_rng([self._seed, epoch, 2**32 - 1])
            self._order = rng.permutation(len(self._images))
