"""The training: from a data folder to a run folder."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import UsageError
from galaxy_edge.evaluation.classes.measures import calibration_bins
from galaxy_edge.evaluation.classes.measures import measure as measure_classes
from galaxy_edge.evaluation.measures import bins, calibration_error, measure
from galaxy_edge.inputs.labelled import Loaded
from galaxy_edge.versions import installed
from galaxy_edge_train import dataset, figures, networks, random_state, scoring
from galaxy_edge_train.calibration import (
    class_temperature,
    cross_calibrate,
    cross_calibrate_classes,
    fold,
    temperature,
)
from galaxy_edge_train.callbacks import Recorder
from galaxy_edge_train.config import TrainConfig
from galaxy_edge_train.dataset import Dataset
from galaxy_edge_train.learning import learn, prepare
from galaxy_edge_train.progress import TrainingProgress
from galaxy_edge_train.run import Run
from galaxy_edge_train.slimming.rounds import Round, slim
from galaxy_edge_train.stopping import best_epoch

#: A class with fewer training images gets a warning.
_FEW = 20


def train(
    data: Path, output: Path, config: TrainConfig, *, resume: bool = False, quiet: bool = False
) -> Path:
    """Train a network on labelled folders.

    Args:
        data: folder with ``Train``, ``Valid`` and optionally ``Test``, each with one folder per
            class.
        output: the run folder to create; it must not exist.
        config: all parameters.
        resume: continue an interrupted run of the same name, options and data. The result equals
            that of an uninterrupted run.
        quiet: show no progress.

    Returns:
        The run folder: ``model.keras`` and ``model.h5`` with the best weights, ``config.json``,
        ``data.json``, ``epochs.csv``, ``batches.csv``, ``metrics.json`` and four figures.

    Raises:
        UsageError: the data or the run folder cannot be used.
    """
    run = Run(output)
    # `start` checks again; checking here fails before the images are decoded.
    run.check_free(resume=resume)
    with TrainingProgress(config.epochs, quiet=quiet) as progress:
        loaded = dataset.load(data, config, progress.show_decoding)
        _describe(loaded, progress)
        run.start(config.document(), loaded.manifest(), resume=resume)
        recorder = _fit(run, loaded, config, progress)
        progress.note(f"stopped: {recorder.stopped}")
        model = _best(run, config)
        rounds: tuple[Round, ...] = ()
        if config.slim is not None:
            model, rounds = slim(model, run, loaded, config, progress)
    return _finish(run, loaded, config, recorder, model, rounds)


def _describe(data: Dataset, progress: TrainingProgress) -> None:
    """Print how many images each class has, and warn about those with few."""
    for split in ("Train", "Valid"):
        counts = data.counts(split)
        progress.note(f"{split}: " + ", ".join(f"{n:,} {name}" for name, n in counts.items()))
    few = [name for name, count in data.counts("Train").items() if count < _FEW]
    if few:
        print(
            f"galaxy-edge: fewer than {_FEW} training images of {', '.join(few)}; the network will "
            "hardly learn what sets this apart",
            file=sys.stderr,
        )


def _fit(run: Run, data: Dataset, config: TrainConfig, progress: TrainingProgress) -> Recorder:
    state = run.state()
    done = len(state.history) if state else 0
    keras.utils.set_random_seed(config.seed)
    if state:
        if state.keras != random_state.keras_in_use():
            raise UsageError(
                f"{run.partial} was started with {state.keras}, but this is "
                f"{random_state.keras_in_use()}; resume it with {state.keras}"
            )
        model = keras.saving.load_model(run.checkpoints / state.last)
        random_state.restore_generators(model, state.generators)
    else:
        model = networks.build(config.network, config.preprocessing.size, len(config.classes))
        prepare(model, config, len(data.splits["Train"].pixels))
    recorder = Recorder(run, config, len(data.splits["Train"].pixels), state)
    if recorder.stopped is None:
        learn(model, data, config, [recorder, *recorder.average, progress], done=done)
    return recorder


def _best(run: Run, config: TrainConfig) -> keras.Model:
    """The network of the best epoch."""
    state = run.state()
    assert state is not None
    # A new model, with the weights of the best epoch and no optimizer. Adam's moments would be two
    # thirds of the file, and belong to the last epoch.
    model = networks.build(config.network, config.preprocessing.size, len(config.classes))
    model.load_weights(run.checkpoints / state.best)
    return model


def _finish(
    run: Run,
    data: Dataset,
    config: TrainConfig,
    recorder: Recorder,
    model: keras.Model,
    rounds: Sequence[Round],
) -> Path:
    calibration = _calibrate(model, data.splits["Valid"], config) if config.calibrate else {}
    model.save(run.partial / "model.keras")
    # Keras warns that HDF5 is a legacy format; the documented set-up asks for it.
    logging.getLogger("absl").setLevel(logging.ERROR)
    model.save(run.partial / "model.h5")
    figures.draw(run.partial, recorder.batches, recorder.history)
    valid = data.splits["Valid"]
    chosen = scoring.decision(config).choose(scoring.scores(model, valid, config))
    figures.draw_confusion(run.partial, valid.labels, chosen, config.classes)
    document: dict[str, Any] = {
        "epochs": len(recorder.history),
        "best_epoch": best_epoch(recorder.history) + 1,
        "stopped": recorder.stopped,
        "parameters": model.count_params(),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version()}
        | {name: installed(name) for name in ("galaxy-edge", "keras", "numpy", "pillow")},
    } | calibration
    if config.slim is not None:
        document["slimming"] = [asdict(each) for each in rounds]
    for split in ("Valid", "Test"):
        if loaded := data.splits.get(split):
            document[split] = _measured(loaded, scoring.scores(model, loaded, config), config)
    run.write_json("metrics.json", document)
    return run.finish()


def _calibrate(model: keras.Model, valid: Loaded, config: TrainConfig) -> dict[str, float]:
    scores = scoring.scores(model, valid, config)
    if len(config.classes) == 2:
        found = temperature(scores[:, 1], valid.labels)
        held_out = cross_calibrate(scores[:, 1], valid.labels)
        error = calibration_error(bins(valid.labels, held_out))
    else:
        found = class_temperature(scores, valid.labels)
        fair = cross_calibrate_classes(scores, valid.labels)
        error = calibration_error(
            calibration_bins(valid.labels.astype(np.intp), fair.argmax(axis=1), fair)
        )
    fold(model, found)
    return {"temperature": found, "held_out_calibration_error": error}


def _measured(
    split: Loaded, scores: npt.NDArray[np.float32], config: TrainConfig
) -> dict[str, Any]:
    """The measures of a split, without intervals."""
    decision, wide = scoring.decision(config), scores.astype(np.float64)
    if decision.two_classes:
        found = measure(split.labels, wide[:, 1], decision).document(config.classes)
    else:
        labels = split.labels.astype(np.intp)
        found = measure_classes(labels, wide, decision).document(config.classes)
    return _without_intervals(found)


def _without_intervals(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_intervals(value) if isinstance(value, dict) else value
        for name, value in document.items()
        if not name.endswith("_interval")
    }
