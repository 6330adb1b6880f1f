"""What can be known about the families of fakes without importing Keras.

The command line reads it for its help and its defaults, and must start fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from galaxy_edge.errors import UsageError

#: The keys of `galaxy_edge_train.synthesis.fakes.FAMILIES`, in the same order.
FAMILY_NAMES = ("vae", "gan", "diffusion", "reconstruction", "disturbance", "renoised")
#: Image sizes are multiples of this, pixels: a network halves an image three or four times.
MULTIPLE = 16


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop training a generator.

    Attributes:
        epochs: stop after this many passes over the images.
        minutes: stop at the end of the first epoch that reaches this time, if that is sooner.
    """

    epochs: int
    minutes: float = math.inf

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"epochs must be at least 1, not {self.epochs}")
        if not self.minutes > 0:
            raise UsageError(f"minutes must be positive, not {self.minutes}")

    def is_spent(self, losses: list[float], seconds: float) -> bool:
        """Whether training is over.

        Args:
            losses: one loss per finished epoch.
            seconds: the time these epochs took.
        """
        return len(losses) >= self.epochs or seconds >= 60 * self.minutes
