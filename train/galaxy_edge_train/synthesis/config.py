"""All parameters of a synthesis, as a frozen dataclass that converts to JSON.

Importing this module does not import Keras, so that the command line can take its defaults from it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch, preprocessing_document
from galaxy_edge_train.families import FAMILY_NAMES, MULTIPLE, Budget


@dataclass(frozen=True, slots=True)
class SynthesisConfig:
    """The resolved configuration of a synthesis.

    Attributes:
        families: names from `FAMILY_NAMES`; each family makes its share of the fakes.
        size: height and width of all images, pixels; a multiple of 16.
        train, valid: maximum number of images of each class; the defaults are the documented
            counts.
        epochs: passes of each generator over the training split; None for the family's own number.
            This, ``minutes`` and ``batch_size`` do not concern the autoencoders of "reconstruction"
            and the family "disturbance".
        minutes: training of a generator stops at the end of the epoch that reaches this time; None
            for no limit. With a limit, the number of epochs depends on the machine.
        batch_size: images per training step.
        seed: seed of weights, order, symmetries, noise and samples.
        stretch: how FITS and 16-bit images become RGB.
    """

    families: tuple[str, ...] = ("diffusion",)
    size: int = 64
    train: int = 3000
    valid: int = 1000
    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 32
    seed: int = 0
    stretch: Stretch = field(default_factory=Stretch)

    def __post_init__(self) -> None:
        for name in self.families:
            if name not in FAMILY_NAMES:
                raise UsageError(
                    f"unknown generator {name!r}; choose from {', '.join(FAMILY_NAMES)}"
                )
        if not self.families or len(set(self.families)) != len(self.families):
            raise UsageError("name at least one generator, and each only once")
        if self.size < MULTIPLE or self.size % MULTIPLE:
            raise UsageError(f"the size must be a multiple of {MULTIPLE} pixels, not {self.size}")
        for name in ("train", "valid", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed must lie between 0 and {2**32 - 1}, not {self.seed}")
        if self.minutes is not None and not math.isfinite(self.minutes):
            raise UsageError(f"minutes must be a finite number, not {self.minutes}")
        self.budget(1)  # raises if epochs or minutes are out of range

    def budget(self, family_epochs: int) -> Budget:
        """When to stop training a generator.

        Args:
            family_epochs: the number of epochs of the generator's family, which applies when the
                configuration sets none.
        """
        epochs = family_epochs if self.epochs is None else self.epochs
        return Budget(epochs) if self.minutes is None else Budget(epochs, self.minutes)

    @property
    def preprocessing(self) -> Preprocessing:
        """How a real image of any size becomes a cutout: an antialiased Lanczos resize."""
        return Preprocessing(size=self.size, resize="lanczos", stretch=self.stretch)

    def document(self) -> dict[str, Any]:
        """The configuration as JSON-ready values."""
        return asdict(self) | {
            "families": list(self.families),
            "stretch": preprocessing_document(self.preprocessing)["stretch"],
        }
