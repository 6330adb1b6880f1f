"""Rounds of removing what is least useful and training on, until the accuracy suffers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import islice

import keras

from galaxy_edge_train import scoring
from galaxy_edge_train.config import TrainConfig
from galaxy_edge_train.dataset import Dataset
from galaxy_edge_train.learning import learn, prepare, training_batches
from galaxy_edge_train.progress import TrainingProgress
from galaxy_edge_train.run import Run
from galaxy_edge_train.slimming.chain import Chain

#: The share of the multiplications that a round removes at first. A round that loses too much
#: halves it, and below `_LEAST` slimming ends.
_MOST, _LEAST = 0.25, 0.06
#: Epochs of training in a round, and their largest learning rate as a share of the run's.
_EPOCHS, _RATE = 3, 0.5
#: Batches of training images that tell how useful a filter is.
_SAMPLE = 16


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did.

    Attributes:
        share: the share of the multiplications that it was to remove.
        widths: filters or units of each layer but the last, afterwards.
        multiplications: of one image, afterwards.
        accuracy: on the validation images, 0 to 1, afterwards.
        kept: whether the accuracy was good enough. If not, the round was undone.
    """

    share: float
    widths: tuple[int, ...]
    multiplications: int
    accuracy: float
    kept: bool


def slim(
    model: keras.Model, run: Run, data: Dataset, config: TrainConfig, progress: TrainingProgress
) -> tuple[keras.Model, tuple[Round, ...]]:
    """Make a trained network smaller.

    Each round removes the filters and units that contribute least for their multiplications, and
    trains what is left for a few epochs. A round after which the validation accuracy is more than
    ``config.slim`` points below that of the trained network is undone, and the next one removes
    half as much. A round is on the disk before the next one starts, so that an interrupted
    run continues after its last round, with the same result.

    Args:
        model: the trained network.
        run: the run folder.
        data: the splits ``Train`` and ``Valid``.
        config: the run's.
        progress: shows the epochs of each round, and a line for each.

    Returns:
        The smaller network, or the same one if nothing could be removed; and the rounds.
    """
    assert config.slim is not None
    valid = data.splits["Valid"]
    floor = scoring.accuracy(model, valid, config) - config.slim / 100
    rounds, share = [], _MOST
    for number, row in enumerate(run.rounds()):
        rounds.append(Round(**row | {"widths": tuple(row["widths"])}))
        if rounds[-1].kept:
            model = keras.saving.load_model(run.slimmed(number), compile=False)
        else:
            share /= 2
    while share >= _LEAST:
        number = len(rounds)
        smaller = _smaller(model, share, number, data, config, progress)
        if smaller is None:
            break
        found = scoring.accuracy(smaller, valid, config)
        chain = Chain.of(smaller)
        kept = found >= floor
        rounds.append(Round(share, chain.widths, chain.multiplications, found, kept))
        if kept:
            model = smaller
            model.save(run.slimmed(number))
        else:
            share /= 2
        run.commit_rounds([asdict(each) for each in rounds])
        progress.note(
            f"slimming {number + 1}: {chain.multiplications / 1e6:,.1f} million multiplications, "
            f"validation accuracy {found:.4f}{'' if kept else ', too low: undone'}"
        )
    return model, tuple(rounds)


def _smaller(
    model: keras.Model,
    share: float,
    number: int,
    data: Dataset,
    config: TrainConfig,
    progress: TrainingProgress,
) -> keras.Model | None:
    """The network without the least useful share, trained on; None if that much cannot go."""
    # No epoch of the training, or of another round, draws the same shuffling and augmentation.
    first = config.epochs + number * _EPOCHS
    chain = Chain.of(model)
    sample = training_batches(data, config, first)
    useful = chain.usefulness(images for images, _ in islice(sample, _SAMPLE))
    keep = chain.least_useful(useful, share)
    if keep is None:
        return None
    smaller = chain.only(keep)
    short = replace(
        config,
        epochs=_EPOCHS,
        schedule="one-cycle",
        learning_rate=_RATE * config.learning_rate,
        average_weights=None,
    )
    prepare(smaller, short, len(data.splits["Train"].pixels))
    progress.begin(f"slimming {number + 1}, ", _EPOCHS)
    learn(smaller, data, short, [progress], first=first)
    return smaller
