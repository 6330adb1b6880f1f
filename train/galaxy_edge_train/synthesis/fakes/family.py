"""The interface of all families of fakes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.progress import Bar
from galaxy_edge_train.synthesis.config import SynthesisConfig

#: Second number of a seed, so that the families and the training use different random numbers.
SAMPLES_STREAM = 2**32 - 2
RECONSTRUCTION_STREAM = 2**32 - 3
DISTURBANCE_STREAM = 2**32 - 4
RENOISING_STREAM = 2**32 - 5


@dataclass(frozen=True, slots=True)
class Reals:
    """Real images and their sources.

    Attributes:
        pixels: uint8 [N, size, size, 3].
        sources: float32 [N, sources], one-hot.
    """

    pixels: Pixels
    sources: Floats


class Family(ABC):
    """One way to make fakes.

    Args:
        name: a key of `FAMILIES`.
        config: all parameters; its seed decides the fakes, whatever the other families are.
        checkpoints: the folder for what a resumed synthesis must not compute again.
        bar: shows the progress.
    """

    def __init__(self, name: str, config: SynthesisConfig, checkpoints: Path, bar: Bar) -> None:
        self.name = name
        self.config = config
        self.checkpoints = checkpoints
        self.bar = bar

    @abstractmethod
    def train(self, reals: Reals) -> dict[str, Any]:
        """Learn from the training split, or continue from the checkpoints.

        Returns:
            What `generators.json` says about the family.
        """

    @abstractmethod
    def fakes(self, reals: Reals) -> Iterator[Pixels]:
        """Make one fake for each real: of its source, and not equal to it.

        Args:
            reals: of both splits. A family that alters reals alters these; the others need only
                their sources. Nothing is learnt from them.

        Yields:
            uint8 (size, size, 3), in the order of the reals.
        """

    def show_step(self, text: str) -> Callable[[int, int, int, float], None]:
        """What shows the progress of a training; ``text`` has a field for the epoch."""

        def show(epoch: int, step: int, steps: int, loss: float) -> None:
            line = f"{self.name}, {text.format(epoch)}  loss {loss:.4f}"
            self.bar.show(line, step, steps)
            if step == steps:
                self.bar.clear()
                self.bar.note(line)

        return show
