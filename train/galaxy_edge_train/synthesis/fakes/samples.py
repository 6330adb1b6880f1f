"""Samples of a generative model, which needs no real once it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.generators import GENERATORS, Generator
from galaxy_edge_train.generators.trainable import to_pixels
from galaxy_edge_train.generators.training import fit
from galaxy_edge_train.synthesis.fakes.family import SAMPLES_STREAM, Family, Reals

#: Images sampled at once. It bounds the memory, and is one step of the progress bar.
_BATCH = 64


class Samples(Family):
    """Samples of the generator with the family's name."""

    generator: Generator

    def train(self, reals: Reals) -> dict[str, Any]:
        """Train the generator; returns its losses and the seconds."""
        # Each family starts from the seed, so that its result does not depend on the others.
        keras.utils.set_random_seed(self.config.seed)
        self.generator = GENERATORS[self.name](self.config.size, reals.sources.shape[1])
        budget = self.config.budget(self.generator.epochs)
        progress = fit(
            self.generator,
            reals.pixels,
            reals.sources,
            self.checkpoints / f"{self.name}.npz",
            budget,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            on_step=self.show_step(f"epoch {{}}/{budget.epochs}"),
        )
        return asdict(progress)

    def fakes(self, reals: Reals) -> Iterator[Pixels]:
        """Sample the source of each real."""
        rng = np.random.default_rng([self.config.seed, SAMPLES_STREAM])
        total = len(reals.sources)
        for start in range(0, total, _BATCH):
            sources = reals.sources[start : start + _BATCH]
            # Fill up the last batch, or Keras would compile the networks again for its size.
            padded = np.concatenate([sources, sources[-1:].repeat(_BATCH - len(sources), axis=0)])
            yield from to_pixels(self.generator.sample(padded, rng))[: len(sources)]
            self.bar.show(f"{self.name}, samples", min(start + _BATCH, total), total)
        self.bar.clear()
