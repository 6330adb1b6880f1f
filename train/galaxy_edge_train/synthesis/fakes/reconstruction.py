"""Reconstructions of reals by many small autoencoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.families import Budget
from galaxy_edge_train.generators.autoencoder import Autoencoder, Design
from galaxy_edge_train.generators.trainable import to_floats, to_pixels
from galaxy_edge_train.generators.training import fit
from galaxy_edge_train.synthesis.fakes.family import RECONSTRUCTION_STREAM, Family, Reals

#: Number of autoencoders, and images per training step.
AUTOENCODERS = 16
_TRAINING_BATCH = 24
#: Images reconstructed at once. It bounds the memory.
_BATCH = 64


class Reconstruction(Family):
    """Each real is reconstructed by one of the autoencoders, which take turns."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.autoencoders: list[Autoencoder] = []

    def train(self, reals: Reals) -> dict[str, Any]:
        """Train the autoencoders; returns the design, the loss and the seconds of each."""
        records = []
        for index in range(AUTOENCODERS):
            rng = np.random.default_rng([self.config.seed, RECONSTRUCTION_STREAM, index])
            design = Design.draw(index, rng)
            seed = int(rng.integers(2**32))
            # The reals in random order, repeated or cut off to the number of steps, are one epoch.
            chosen = np.resize(rng.permutation(len(reals.pixels)), design.steps * _TRAINING_BATCH)
            keras.utils.set_random_seed(seed)
            autoencoder = Autoencoder(self.config.size, design)
            progress = fit(
                autoencoder,
                reals.pixels[chosen],
                reals.sources[chosen],
                self.checkpoints / f"{self.name}-{index}.npz",
                Budget(1),
                batch_size=_TRAINING_BATCH,
                seed=seed,
                on_step=self.show_step(f"autoencoder {index + 1}/{AUTOENCODERS}"),
            )
            self.autoencoders.append(autoencoder)
            records.append(asdict(design) | asdict(progress))
        return {"autoencoders": records}

    def fakes(self, reals: Reals) -> Iterator[Pixels]:
        """Reconstruct each real."""
        number = len(self.autoencoders)
        made = reals.pixels.copy()
        left = np.arange(len(made))
        # A blank real may be reconstructed exactly; then it is the next autoencoder's turn.
        for attempt in range(number):
            for index, autoencoder in enumerate(self.autoencoders):
                seed = (self.config.seed, RECONSTRUCTION_STREAM, index, 1 + attempt)
                rng = np.random.default_rng(seed)
                rows = left[(left + attempt) % number == index]
                for start in range(0, len(rows), _BATCH):
                    part = rows[start : start + _BATCH]
                    images = autoencoder.reconstruct(to_floats(reals.pixels[part]), rng)
                    made[part] = to_pixels(images)
                self.bar.show(f"{self.name}, autoencoders", index + 1, number)
            left = np.flatnonzero((made == reals.pixels).all(axis=(1, 2, 3)))
            if not len(left):
                break
        self.bar.clear()
        yield from made
