"""The residual network and the average of its weights, from training to the exported file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from galaxy_edge_train.callbacks import Recorder
from galaxy_edge_train.config import NetworkConfig
from galaxy_edge_train.networks import build
from tests.galaxy_edge_train.rounding import bit_for_bit
from tests.galaxy_edge_train.runs import assert_same_run, rows, weights

Cli = Callable[..., tuple[int, str, str]]
SMALL = ("--network", "residual", "--image-size", "16", "--batch-size", "8", "--epochs", "3", "-q")


@pytest.mark.parametrize("size", [16, 17])
def test_the_front_end_gives_colours_and_four_residuals_of_each(size: int):
    model = build(NetworkConfig("residual"), size)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
    front = keras.Model(model.input, first.output)
    image = np.random.default_rng(0).random((2, size, size, 3), np.float32)
    red, green, blue = (image[..., band] for band in range(3))
    colours = 2 * np.stack([red, green, blue, red - green, green - blue], axis=-1)
    inner = colours[:, 1:-1, 1:-1]
    reduced = colours[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)[:, :size, :size]
    windows = np.lib.stride_tricks.sliding_window_view(colours, (3, 3), axis=(1, 2))
    expected = [
        inner,
        4 * (inner - colours[:, 1:-1, 2:]),
        4 * (inner - colours[:, 2:, 1:-1]),
        4 * (inner - windows.mean(axis=(-1, -2))),
        4 * (inner - reduced[:, 1:-1, 1:-1]),
    ]
    np.testing.assert_allclose(
        front.predict(image, verbose=0), np.concatenate(expected, axis=-1), atol=1e-5
    )


def test_the_front_end_is_never_trained():
    model = build(NetworkConfig("residual"), 16)
    assert model.count_params() - sum(
        int(np.prod(weight.shape)) for weight in model.trainable_weights
    ) == 3 * 3 * 3 * 20 + 3 * 5 + 4 * 5 * 5 + 2 * (24 + 32 + 48 + 64)
    assert model.count_params() < 70_000


def test_a_run_goes_through_int8_export_and_is_compared_with_keras(
    data: Path, tmp_path: Path, cli: Cli
):
    run, model = tmp_path / "run", tmp_path / "m.onnx"
    assert cli("train", data, "-o", run, *SMALL, "--calibrate")[0] == 0
    config = json.loads((run / "config.json").read_text())
    assert config["network"] == {"kind": "residual"}
    assert config["average_weights"] == 0.99
    assert config["augment"]["sky_level"] == 0.12
    loose = ("--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1")
    code, _, err = cli("export", run, "-o", model, "--quantize", "--min-speedup", "0", *loose)
    assert code == 0, err


def test_the_average_of_the_weights_is_validated_and_kept(
    data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    latest: list[np.ndarray] = []
    end = Recorder.on_epoch_end

    def spy(self: Recorder, epoch: int, logs: dict[str, float] | None = None) -> None:
        latest[:] = self.model.get_weights()
        end(self, epoch, logs)

    monkeypatch.setattr(Recorder, "on_epoch_end", spy)
    run = tmp_path / "run"
    options = (*SMALL, "--average-weights", "0.5", "--epochs", "1")
    assert cli("train", data, "-o", run, *options)[0] == 0
    kept = weights(run)
    assert any(not np.allclose(one, other) for one, other in zip(kept, latest, strict=True))
    # The kept weights give the validation loss of the history.
    metrics = json.loads((run / "metrics.json").read_text())
    history = rows(run / "epochs.csv")
    assert metrics["Valid"]["log_loss"] == pytest.approx(history[0]["val_loss"], rel=1e-4)


@bit_for_bit
def test_an_interrupted_run_resumes_with_its_average(
    data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    assert cli("train", data, "-o", tmp_path / "whole", *SMALL)[0] == 0
    begin = Recorder.on_epoch_begin

    def stop(self: Recorder, epoch: int, logs: object = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_epoch_begin", stop)
        assert cli("train", data, "-o", tmp_path / "cut", *SMALL)[0] == 130
    assert cli("train", data, "-o", tmp_path / "cut", *SMALL, "--resume")[0] == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
