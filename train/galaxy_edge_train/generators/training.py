"""The training of one generator: epochs over the real images, each of them kept on disk."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np

from galaxy_edge.errors import UsageError
from galaxy_edge.files import replacing
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_train.augmentation import Floats, turn
from galaxy_edge_train.generators.generator import Generator, to_floats

#: Samples are drawn with a running average of the weights of every eighth step, over the last
#: thousand steps or so: the last weights alone are still on the move.
_STRIDE = 8
_AVERAGING = 0.992
#: Until then it is weighted towards its last few updates: the first weights are chance.
_RECENT = 4
#: The third number of the seeds of what is drawn once an epoch, apart from those of its batches.
_EPOCH = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Budget:
    """When a generator has been trained enough.

    Attributes:
        epochs: after as many passes over the images.
        minutes: or at the end of the first epoch after as long, if that comes sooner.
    """

    epochs: int
    minutes: float = math.inf

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UsageError(f"epochs must be at least 1, not {self.epochs}")
        if not self.minutes > 0:
            raise UsageError(f"minutes must be positive, not {self.minutes}")

    def is_spent(self, losses: list[float], seconds: float) -> bool:
        """Say whether training is over after epochs of these losses and as many seconds."""
        return len(losses) >= self.epochs or seconds >= 60 * self.minutes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a generator has come: the mean loss of each epoch, and the seconds they took."""

    losses: list[float]
    seconds: float


def fit(
    generator: Generator,
    images: Pixels,
    sources: Floats,
    checkpoint: Path,
    budget: Budget,
    *,
    batch_size: int = 32,
    seed: int = 0,
    told: Callable[[int, int, int, float], None] = lambda *_: None,
) -> Progress:
    """Train a generator, or go on with what an earlier call left in ``checkpoint``.

    At the end its weights are the running average of those it had under way.

    Args:
        generator: a new one.
        images: uint8 [N, size, size, 3].
        sources: float32 [N, sources], one-hot.
        checkpoint: an ``.npz`` file, written after each epoch.
        budget: when to stop.
        batch_size: images a step.
        seed: of the order, the symmetries and all noise; the weights follow Keras's own seed.
        told: called after each step with epoch, step, steps an epoch, and the epoch's mean loss.

    Raises:
        UsageError: the training diverged, or the checkpoint is damaged.
    """
    optimizer = keras.optimizers.Adam(
        generator.learning_rate,
        beta_1=generator.beta_1,
        clipnorm=1.0,
    )
    generator.compile(optimizer=optimizer)
    _touch(generator, images, sources)
    optimizer.build(generator.trainable_variables)
    average = [np.array(weight) for weight in generator.get_weights()]
    progress = _restore(generator, average, checkpoint)
    losses, seconds = list(progress.losses), progress.seconds
    while not budget.is_spent(losses, seconds):
        started = time.monotonic()
        epoch = len(losses)
        order = np.random.default_rng([seed, epoch, _EPOCH]).permutation(len(images))
        # A smaller batch at the end would have the step compiled for another number of images.
        steps = max(1, len(images) // batch_size)
        total = 0.0
        for step in range(steps):
            rng = np.random.default_rng([seed, epoch, step])
            chosen = order[step * batch_size : (step + 1) * batch_size]
            batch = to_floats(_turned(images[chosen], rng))
            inputs = (batch, sources[chosen], *generator.draw(len(chosen), rng))
            generator.reset_metrics()
            total += float(generator.train_on_batch(inputs))
            updates, between = divmod(epoch * steps + step, _STRIDE)
            if not between:
                _follow(average, generator, updates)
            told(epoch + 1, step + 1, steps, total / (step + 1))
        if not math.isfinite(total):
            raise UsageError(
                f"the training of the {type(generator).__name__} diverged in epoch {epoch + 1}; "
                "begin anew with another --seed or --batch-size"
            )
        losses.append(total / steps)
        seconds += time.monotonic() - started
        _keep(generator, average, checkpoint, Progress(losses, seconds))
    generator.set_weights(average)
    generator.settle(images, sources)
    return Progress(losses, seconds)


def _turned(images: Pixels, rng: np.random.Generator) -> Pixels:
    # The sky has no up: eight times the images, and not one pixel is interpolated.
    symmetries = rng.integers(8, size=len(images))
    return np.stack([turn(image, int(s)) for image, s in zip(images, symmetries, strict=True)])


def _touch(generator: Generator, images: Pixels, sources: Floats) -> None:
    """Have Keras see the model built: its parts are, but it has never been called."""
    inputs = generator.draw(2, np.random.default_rng(0))
    generator((to_floats(images[:1]).repeat(2, axis=0), sources[:1].repeat(2, axis=0), *inputs))


def _follow(average: list[Floats], generator: Generator, updates: int) -> None:
    """Move the running average on; in a short training it is of the later steps, not the first."""
    share = max(1 - _AVERAGING, min(1.0, _RECENT / (_RECENT + updates)))
    for kept, weight in zip(average, generator.get_weights(), strict=True):
        np.add(kept, share * (weight - kept), out=kept)


def _keep(
    generator: Generator, average: list[Floats], checkpoint: Path, progress: Progress
) -> None:
    arrays = {f"average-{i}": kept for i, kept in enumerate(average)} | {
        f"variable-{i}": keras.ops.convert_to_numpy(variable)
        for i, variable in enumerate(_variables(generator))
    }
    with replacing(checkpoint) as path:
        np.savez(path, progress=np.array(json.dumps(asdict(progress))), **arrays)


def _restore(generator: Generator, average: list[Floats], checkpoint: Path) -> Progress:
    if not checkpoint.exists():
        return Progress([], 0.0)
    try:
        with checkpoint.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for i, kept in enumerate(average):
                kept[...] = arrays[f"average-{i}"]
            for i, variable in enumerate(_variables(generator)):
                variable.assign(arrays[f"variable-{i}"])
            return Progress(**json.loads(str(arrays["progress"])))
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise UsageError(
            f"{checkpoint} is damaged ({error!r}); delete it and train anew"
        ) from error


def _variables(generator: Generator) -> list[keras.Variable]:
    """The weights and what Adam remembers of them."""
    return [*generator.trainable_variables, *generator.optimizer.variables]
