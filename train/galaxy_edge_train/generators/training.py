"""The training of one network on real images, with a checkpoint after each epoch."""

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
from galaxy_edge_train.families import Budget
from galaxy_edge_train.generators.trainable import Trainable, to_floats

#: The final weights are a running average over about the last thousand steps, because the weights
#: of single steps still vary. It is updated every `_STRIDE` steps, and keeps the share `_DECAY`.
_STRIDE = 8
_DECAY = 0.992
#: In the beginning the average covers only about the last `_RECENT` updates, because the first
#: weights are random.
_RECENT = 4
#: Third number of the seed for what is drawn once per epoch; batches have their index there.
_EPOCH_STREAM = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come: the mean loss of each epoch, and the total time in seconds."""

    losses: list[float]
    seconds: float


def fit(
    network: Trainable,
    images: Pixels,
    sources: Floats,
    checkpoint: Path,
    budget: Budget,
    *,
    batch_size: int = 32,
    seed: int = 0,
    on_step: Callable[[int, int, int, float], None] = lambda *_: None,
) -> Progress:
    """Train a network, or continue from the ``checkpoint`` of an earlier call.

    At the end, the weights of the network are a running average over the last steps.

    Args:
        network: a new one.
        images: uint8 [N, size, size, 3].
        sources: float32 [N, sources], one-hot.
        checkpoint: an ``.npz`` file, written after each epoch.
        budget: when to stop.
        batch_size: images per training step.
        seed: seed of the order, the symmetries and all noise; the initial weights depend on
            Keras's own seed.
        on_step: called after each step with the epoch, the step, the steps per epoch, and the mean
            loss of the epoch so far.

    Raises:
        UsageError: the training diverged, or the checkpoint is damaged.
    """
    optimizer = keras.optimizers.Adam(
        network.learning_rate,
        beta_1=network.beta_1,
        clipnorm=1.0,
    )
    network.compile(optimizer=optimizer)
    _build(network, images, sources)
    optimizer.build(network.trainable_variables)
    average = [np.array(weight) for weight in network.get_weights()]
    progress = _restore(network, average, checkpoint)
    losses, seconds = list(progress.losses), progress.seconds
    while not budget.is_spent(losses, seconds):
        started = time.monotonic()
        epoch = len(losses)
        order = np.random.default_rng([seed, epoch, _EPOCH_STREAM]).permutation(len(images))
        # No smaller batch at the end: Keras would compile the step again for its size.
        steps = max(1, len(images) // batch_size)
        total = 0.0
        for step in range(steps):
            rng = np.random.default_rng([seed, epoch, step])
            chosen = order[step * batch_size : (step + 1) * batch_size]
            batch = to_floats(_random_symmetries(images[chosen], rng))
            inputs = (batch, sources[chosen], *network.draw(len(chosen), rng))
            network.reset_metrics()
            total += float(network.train_on_batch(inputs))
            updates, remainder = divmod(epoch * steps + step, _STRIDE)
            if not remainder:
                _update_average(average, network, updates)
            on_step(epoch + 1, step + 1, steps, total / (step + 1))
        if not math.isfinite(total):
            raise UsageError(
                f"the training of the {type(network).__name__} diverged in epoch {epoch + 1}; "
                "start again with another --seed or --batch-size"
            )
        losses.append(total / steps)
        seconds += time.monotonic() - started
        _save(network, average, checkpoint, Progress(losses, seconds))
    network.set_weights(average)
    network.prepare(images, sources)
    return Progress(losses, seconds)


def _random_symmetries(images: Pixels, rng: np.random.Generator) -> Pixels:
    # The sky has no preferred direction: this gives eight times the images without interpolation.
    symmetries = rng.integers(8, size=len(images))
    return np.stack([turn(image, int(s)) for image, s in zip(images, symmetries, strict=True)])


def _build(network: Trainable, images: Pixels, sources: Floats) -> None:
    """Call the model once: Keras regards it as built only then, although its parts are."""
    inputs = network.draw(2, np.random.default_rng(0))
    network((to_floats(images[:1]).repeat(2, axis=0), sources[:1].repeat(2, axis=0), *inputs))


def _update_average(average: list[Floats], network: Trainable, updates: int) -> None:
    """Update the running average; in a short training it covers the later steps."""
    share = max(1 - _DECAY, min(1.0, _RECENT / (_RECENT + updates)))
    for kept, weight in zip(average, network.get_weights(), strict=True):
        np.add(kept, share * (weight - kept), out=kept)


def _save(network: Trainable, average: list[Floats], checkpoint: Path, progress: Progress) -> None:
    arrays = {f"average-{i}": kept for i, kept in enumerate(average)} | {
        f"variable-{i}": keras.ops.convert_to_numpy(variable)
        for i, variable in enumerate(_variables(network))
    }
    with replacing(checkpoint) as path:
        np.savez(path, progress=np.array(json.dumps(asdict(progress))), **arrays)


def _restore(network: Trainable, average: list[Floats], checkpoint: Path) -> Progress:
    if not checkpoint.exists():
        return Progress([], 0.0)
    try:
        with checkpoint.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for i, kept in enumerate(average):
                kept[...] = arrays[f"average-{i}"]
            for i, variable in enumerate(_variables(network)):
                variable.assign(arrays[f"variable-{i}"])
            return Progress(**json.loads(str(arrays["progress"])))
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise UsageError(
            f"{checkpoint} is damaged ({error!r}); delete it and train again"
        ) from error


def _variables(network: Trainable) -> list[keras.Variable]:
    """The weights, including the statistics of a batch normalisation, and the state of Adam."""
    return [*network.weights, *network.optimizer.variables]
