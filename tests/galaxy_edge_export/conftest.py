"""Fixtures for the tests of the export."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import pytest


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras file without a run folder."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(),
         keras.layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    path = tmp_path_factory.mktemp("bare") / "bare.keras"
    model.save(path)
    return path
