"""Whole runs of the tiny network, from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, galaxy_edge_in_process
from tests.galaxy_edge_train.rounding import bit_for_bit
from tests.galaxy_edge_train.runs import SLOW_TRAINING, assert_same_run, rows, weights
from tests.systems import posix

Cli = Callable[..., tuple[int, str, str]]


def test_the_run_folder_is_complete(run_folder: Path):
    assert {path.name for path in run_folder.iterdir()} == {
        "model.keras", "model.h5", "config.json", "data.json", "metrics.json", "epochs.csv",
        "batches.csv", "batch_accuracy.png", "confusion.png", "epoch_accuracy.png",
        "epoch_loss.png",
    }  # fmt: skip
    assert not run_folder.with_name("run.partial").exists()


def test_the_configuration_contains_the_resolved_options(run_folder: Path):
    config = json.loads((run_folder / "config.json").read_text())
    assert config["preprocessing"] == {
        "size": 24, "resize": "bilinear", "working_size": 16, "colour": "RGB",
        "stretch": {"bands": None, "minimum": None, "stretch": None, "q": 8.0},
    }  # fmt: skip
    assert config["augment"]["kind"] == "exact"
    assert config["stop_at_accuracy"] is None
    assert config["learning_rate"] == 0.001


def test_every_option_reaches_the_configuration(data: Path, tmp_path: Path):
    run = tmp_path / "run"
    code = galaxy_edge_in_process(
        "train", data, "-o", run, "-q", "--image-size", 30, "--resize", "lanczos",
        "--working-size", 16, "--augment", "none", "--rotation", 1, "--width-shift", 0.02,
        "--height-shift", 0.03, "--shear", 0.4, "--zoom", 0.05, "--no-flip", "--filters", "3",
        "--kernel-size", 5, "--pool-size", 3, "--dense-units", 7, "--dropout", 0,
        "--learning-rate", 0.006, "--batch-size", 9, "--epochs", 1, "--patience", 4,
        "--stop-at-accuracy", 0.75, "--seed", 11, "--skip-unreadable", "--bands", "z,r,g",
        "--minimum", 0.5, "--stretch", 2, "--q", 3, "--jpeg-quality", 70, "--resample", 0.3,
        "--noise", 2.5, "--restretch", 0.2, "--calibrate", "--pixel-shift", 3,
        "--schedule", "one-cycle", "--gain", 0.1, "--sky-level", 0.3, "--oversample", 2,
        "--average-weights", 0.9, "--reducing-gap", 2.5,
    )  # fmt: skip
    assert code == 0
    assert json.loads((run / "config.json").read_text()) == {
        "classes": ["Fake", "Real"],
        "preprocessing": {
            "size": 30, "resize": "lanczos", "working_size": 16, "colour": "RGB",
            "reducing_gap": 2.5,
            "stretch": {"bands": ["z", "r", "g"], "minimum": 0.5, "stretch": 2.0, "q": 3.0},
        },
        "network": {
            "kind": "documented", "filters": [3], "kernel_size": 5, "pool_size": 3,
            "dense_units": 7, "dropout": 0,
        },
        "augment": {
            "kind": "none", "rotation": 1, "width_shift": 0.02, "height_shift": 0.03, "shear": 0.4,
            "zoom": 0.05, "horizontal_flip": False, "pixel_shift": 3, "jpeg_quality": 70,
            "resample": 0.3, "noise": 2.5, "restretch": 0.2, "gain": 0.1, "sky_level": 0.3,
            "oversample": 2,
        },
        "learning_rate": 0.006,
        "schedule": "one-cycle",
        "average_weights": 0.9,
        "batch_size": 9,
        "epochs": 1,
        "patience": 4,
        "stop_at_accuracy": 0.75,
        "calibrate": True,
        "catalogue": None,
        "class_weights": "off",
        "seed": 11,
        "skip_unreadable": True,
    }  # fmt: skip


def test_the_optimizer_and_the_loss_are_the_documented_ones(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import keras

    compiled = {}
    compile_ = keras.Sequential.compile

    def spy(self: object, **how: object) -> None:
        compiled.update(how)
        compile_(self, **how)

    monkeypatch.setattr(keras.Sequential, "compile", spy)
    options = (*TINY, "--epochs", "1", "-q", "--learning-rate", "0.004")
    assert galaxy_edge_in_process("train", data, "-o", tmp_path / "run", *options) == 0
    assert type(compiled["optimizer"]) is keras.optimizers.Adam
    assert float(compiled["optimizer"].learning_rate) == pytest.approx(0.004)
    assert compiled["loss"] == "binary_crossentropy"
    assert compiled["metrics"] == ["accuracy"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        # The steps are too small to change a loss, so the first epoch stays the best.
        (("--learning-rate", "1e-30", "--patience", "2"), "no better validation loss for 2"),
        (("--stop-at-accuracy", "0.01"), "reached 0.01"),
    ],
)
def test_training_stops_early(data: Path, tmp_path: Path, options: tuple[str, ...], reason: str):
    run = tmp_path / "run"
    command = ("train", data, "-o", run, *TINY, "-q", "--epochs", "9", *options)
    assert galaxy_edge_in_process(*command) == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert reason in metrics["stopped"]
    assert metrics["epochs"] == len(rows(run / "epochs.csv")) < 9


def test_a_diverging_training_is_reported(data: Path, tmp_path: Path, cli: Cli):
    command = ("train", data, "-o", tmp_path / "run", *TINY, "--epochs", "9")
    code, _, err = cli(*command, "--learning-rate", "1e38")
    assert code == 2
    assert "diverged" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("output", [".", "data/Train/Fake/000.png/run"])
def test_an_output_that_cannot_be_created_is_refused(
    data: Path, cli: Cli, monkeypatch, output: str
):
    monkeypatch.chdir(data.parent)
    code, _, err = cli("train", data, "-o", output, *TINY)
    assert code == 2
    assert "Traceback" not in err


def test_metrics_cover_validation_and_test(run_folder: Path):
    metrics = json.loads((run_folder / "metrics.json").read_text())
    assert metrics["Valid"]["images"] == 16
    assert metrics["Test"]["images"] == 8
    history = rows(run_folder / "epochs.csv")
    best = history[metrics["best_epoch"] - 1]
    assert best["val_loss"] == min(row["val_loss"] for row in history)
    # The saved weights are those of the best epoch, so they give its metrics again.
    assert metrics["Valid"]["accuracy"] == pytest.approx(best["val_accuracy"])
    assert metrics["Valid"]["log_loss"] == pytest.approx(best["val_loss"], rel=1e-4)


def test_the_weights_of_the_best_epoch_are_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Declare the first epoch the best, whatever the others give.
    monkeypatch.setattr("galaxy_edge_train.callbacks.best_epoch", lambda history: 0)
    run = tmp_path / "run"
    assert galaxy_edge_in_process("train", data, "-o", run, *TINY, "--epochs", "3", "-q") == 0
    history = rows(run / "epochs.csv")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["Valid"]["log_loss"] == pytest.approx(history[0]["val_loss"], rel=1e-4)
    assert history[2]["val_loss"] != pytest.approx(history[0]["val_loss"], rel=1e-4)


def test_the_accuracy_of_each_batch_is_logged(run_folder: Path):
    batches = rows(run_folder / "batches.csv")
    assert len(batches) == 4 * 3
    for epoch, row in enumerate(rows(run_folder / "epochs.csv"), start=1):
        mine = [batch for batch in batches if batch["epoch"] == epoch]
        assert [batch["batch"] for batch in mine] == [1, 2, 3]
        assert np.mean([batch["accuracy"] for batch in mine]) == pytest.approx(row["accuracy"])
        for batch in mine:
            assert (batch["accuracy"] * 8) % 1 == 0


def test_both_model_files_have_the_same_weights(run_folder: Path):
    import keras

    other = keras.saving.load_model(run_folder / "model.h5", compile=False).get_weights()
    for one, two in zip(weights(run_folder), other, strict=True):
        assert np.array_equal(one, two)


def test_the_figures_are_drawn(run_folder: Path):
    for name in ("batch_accuracy", "epoch_accuracy", "epoch_loss"):
        with Image.open(run_folder / f"{name}.png") as figure:
            assert figure.size == (840, 480)
            assert len(figure.convert("RGB").getcolors(1 << 20) or []) > 10


@bit_for_bit
def test_runs_agree_with_the_same_seed_and_differ_with_another(data: Path, tmp_path: Path):
    options = (*TINY, "--epochs", "2", "--quiet")
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        code = galaxy_edge_in_process(
            "train", data, "-o", tmp_path / name, "--seed", seed, *options
        )
        assert code == 0
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert rows(tmp_path / "a" / "epochs.csv") != rows(tmp_path / "c" / "epochs.csv")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_train(data: Path, tmp_path: Path, backend: str):
    pytest.importorskip(backend)
    run = tmp_path / "run"
    subprocess.run(
        [sys.executable, "-m", "galaxy_edge", "train", data, "-o", run, *TINY, "--epochs", "2"],
        env=os.environ | {"KERAS_BACKEND": backend}, check=True,
    )  # fmt: skip
    assert json.loads((run / "metrics.json").read_text())["backend"] == backend
    # The export compares the file with Keras on TensorFlow.
    assert galaxy_edge_in_process("export", run, "-q") == 0


def test_an_existing_run_is_never_overwritten(run_folder: Path, session_data: Path, cli: Cli):
    before = (run_folder / "model.keras").read_bytes()
    code, _, err = cli("train", session_data, "-o", run_folder, *TINY)
    assert code == 2
    assert "already exists" in err
    assert (run_folder / "model.keras").read_bytes() == before


def test_bad_data_are_reported_before_the_first_epoch(data: Path, tmp_path: Path, cli: Cli):
    (data / "Train" / "Fake" / "000.png").write_bytes(b"")
    code, out, err = cli("train", data, "-o", tmp_path / "run", *TINY)
    assert (code, out) == (2, "")
    assert "000.png: empty" in err
    assert "Traceback" not in err
    assert "epoch" not in err
    assert not (tmp_path / "run.partial").exists()


def test_other_class_names_reach_the_predictions(tmp_path: Path, cli: Cli, data: Path):
    for split in ("Train", "Valid"):
        (data / split / "Fake").rename(data / split / "spiral")
        (data / split / "Real").rename(data / split / "elliptical")
    run, model = tmp_path / "run", tmp_path / "model.onnx"
    options = ("--classes", "spiral,elliptical", "--epochs", "1", "-q")
    assert cli("train", data, "-o", run, *TINY, *options)[0] == 0
    assert cli("export", run, "-o", model, "-q")[0] == 0
    image = next((data / "Valid" / "spiral").iterdir())
    code, out, _ = cli("predict", image, "-m", model, "--format", "jsonl")
    assert code == 0
    assert json.loads(out)["label"] in ("spiral", "elliptical")


def test_without_a_terminal_progress_is_one_line_per_epoch(data: Path, tmp_path: Path, cli: Cli):
    code, out, err = cli("train", data, "-o", tmp_path / "run", *TINY, "--epochs", "2")
    assert code == 0
    assert out == f"{tmp_path / 'run'}\n"
    assert len([line for line in err.splitlines() if line.startswith("epoch ")]) == 2
    assert "\x1b" not in err


@posix
def test_a_terminal_shows_a_bar(data: Path, tmp_path: Path):
    import pty

    parent, child = pty.openpty()
    command = ["train", data, "-o", tmp_path / "run", *TINY, "--epochs", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_TRAINING, *command],
        stdout=subprocess.DEVNULL, stderr=child, env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    seen = b""
    with contextlib.suppress(OSError):  # raised when the last writer of the terminal has closed it
        while piece := os.read(parent, 10_000):
            seen += piece
    os.close(parent)
    assert process.wait(60) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "\u2501" in shown, "a bar"
    assert re.search(r"epoch 1/1 +accuracy \d\.\d{4}.* [123]/3 ", shown)
