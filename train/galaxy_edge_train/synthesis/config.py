"""Every number of a synthesis, as a frozen dataclass that travels as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.generators import FAMILIES
from galaxy_edge_train.generators.generator import MULTIPLE
from galaxy_edge_train.generators.training import Budget


@dataclass(frozen=True, slots=True)
class SynthesisConfig:
    """The resolved configuration of a synthesis.

    Attributes:
        families: names in `FAMILIES`; each makes its share of the fakes.
        size: height and width of all images, pixels; a multiple of 16.
        train, valid: at most as many images of each class; the documented counts.
        epochs: passes of each generator over the training half; None for its family's own.
        minutes: a generator's training ends with the epoch in which these have passed; None for
            no limit. How far it comes then depends on the machine.
        batch_size: images a step.
        seed: of weights, order, symmetries, noise and samples.
    """

    families: tuple[str, ...] = ("diffusion",)
    size: int = 64
    train: int = 3000
    valid: int = 1000
    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.families:
            if name not in FAMILIES:
                raise UsageError(f"there is no generator {name!r}, but {', '.join(FAMILIES)}")
        if not self.families or len(set(self.families)) != len(self.families):
            raise UsageError("generators must be given, each once")
        if self.size < MULTIPLE or self.size % MULTIPLE:
            raise UsageError(f"the size must be a multiple of {MULTIPLE} pixels, not {self.size}")
        for name in ("train", "valid", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed must lie between 0 and {2**32 - 1}, not {self.seed}")
        if self.minutes is not None and not math.isfinite(self.minutes):
            raise UsageError(f"minutes must be a number, not {self.minutes}")
        for name in self.families:
            self.budget(name)  # refuses what it cannot be

    def budget(self, family: str) -> Budget:
        """How long a family is trained."""
        epochs = FAMILIES[family].epochs if self.epochs is None else self.epochs
        return Budget(epochs) if self.minutes is None else Budget(epochs, self.minutes)

    @property
    def preprocessing(self) -> Preprocessing:
        """How a real image of any size becomes a cutout: by Lanczos, antialiased."""
        return Preprocessing(size=self.size, resize="lanczos")

    def document(self) -> dict[str, Any]:
        """The configuration as JSON-ready values."""
        return asdict(self) | {"families": list(self.families)}
