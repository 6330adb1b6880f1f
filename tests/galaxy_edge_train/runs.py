"""Helpers of these tests: the files of a run folder, and a slow training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

#: The command line with a pause in each batch, so that a kill comes within an epoch.
SLOW_TRAINING = """
import sys, time
from galaxy_edge_train.callbacks import Recorder
log = Recorder.on_train_batch_end
def slowly(self, batch, logs=None):
    time.sleep(0.2)
    log(self, batch, logs)
Recorder.on_train_batch_end = slowly
from galaxy_edge.cli import main
main(sys.argv[1:])
"""


def rows(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def without_times(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def weights(run: Path) -> list[np.ndarray]:
    import keras

    return keras.saving.load_model(run / "model.keras").get_weights()


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("epochs.csv", "batches.csv"):
        assert without_times(rows(one / name)) == without_times(rows(other / name))
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        assert np.array_equal(mine, theirs)
