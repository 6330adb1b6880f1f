"""Samples of a generative model, and reals that it has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators import GENERATORS, Diffusion, Generator
from galaxy_edge_train.generators.diffusion import STEPS
from galaxy_edge_train.generators.trainable import to_floats, to_pixels
from galaxy_edge_train.generators.training import fit
from galaxy_edge_train.synthesis.fakes.family import (
    RENOISING_STREAM,
    SAMPLES_STREAM,
    Family,
    Reals,
)

#: Images sampled at once. It bounds the memory, and is one step of the progress bar.
_BATCH = 64


class Samples(Family):
    """Samples of the generator with the family's name."""

    generator: Generator
    #: Second number of the seed.
    stream = SAMPLES_STREAM

    @property
    def generator_name(self) -> str:
        """A key of `GENERATORS`."""
        return self.name

    def train(self, reals: Reals) -> dict[str, Any]:
        """Train the generator; returns its losses and the seconds."""
        # Each family starts from the seed, so that its result does not depend on the others.
        keras.utils.set_random_seed(self.config.seed)
        self.generator = GENERATORS[self.generator_name](self.config.size, reals.sources.shape[1])
        budget = self.config.budget(self.generator.epochs)
        progress = fit(
            self.generator,
            reals.pixels,
            reals.sources,
            self.checkpoints / f"{self.generator_name}.npz",
            budget,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            on_step=self.show_step(f"epoch {{}}/{budget.epochs}"),
        )
        return asdict(progress)

    def fakes(self, reals: Reals) -> Iterator[Pixels]:
        """Make the fakes in batches."""
        rng = np.random.default_rng([self.config.seed, self.stream])
        total = len(reals.sources)
        for start in range(0, total, _BATCH):
            count = min(_BATCH, total - start)
            # Fill up the last batch, or Keras would compile the networks again for its size.
            rows = np.minimum(np.arange(start, start + _BATCH), total - 1)
            batch = Reals(reals.pixels[rows], reals.sources[rows])
            yield from to_pixels(self.make(batch, rng))[:count]
            self.bar.show(f"{self.name}, images", start + count, total)
        self.bar.clear()

    def make(self, batch: Reals, rng: np.random.Generator) -> Floats:
        """Make one fake for each real of a batch, -1 to 1: a sample of its source."""
        return self.generator.sample(batch.sources, rng)


class Renoised(Samples):
    """Reals to which the diffusion model added noise, and from which it removed it again.

    They have the content of the reals and the fine detail of the diffusion model (Chen et al. 2024,
    ICML, DRCT). With the family `diffusion`, the model is trained only once.
    """

    generator_name = "diffusion"
    generator: Diffusion
    stream = RENOISING_STREAM

    def make(self, batch: Reals, rng: np.random.Generator) -> Floats:
        """Add a tenth to seven tenths of the noise to each real, and remove it."""
        steps = rng.integers(STEPS // 10, 7 * STEPS // 10 + 1, size=len(batch.pixels))
        return self.generator.renoise(to_floats(batch.pixels), steps, batch.sources, rng)
