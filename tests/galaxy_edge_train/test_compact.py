"""The compact network and its schedule, from training to the exported file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from galaxy_edge_train.callbacks import Recorder
from galaxy_edge_train.config import NetworkConfig, TrainConfig
from galaxy_edge_train.networks import build
from galaxy_edge_train.optimizer import optimizer
from tests.galaxy_edge_train.rounding import bit_for_bit
from tests.galaxy_edge_train.runs import assert_same_run, rows

Cli = Callable[..., tuple[int, str, str]]
SMALL = ("--network", "compact", "--image-size", "16", "--batch-size", "8", "--epochs", "4", "-q")


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (5, 5)])
def test_it_has_at_most_100000_parameters_at_any_size(classes: int, outputs: int):
    for size in (16, 64, 65):
        model = build(NetworkConfig("compact"), size, classes)
        assert model.count_params() <= 100_000
        assert model.output_shape == (None, outputs)


def test_the_rate_rises_to_the_learning_rate_and_falls_to_zero():
    config = TrainConfig(learning_rate=0.01, schedule="one-cycle", epochs=10, batch_size=8)
    made = optimizer(config, images=75)  # ten steps an epoch
    assert isinstance(made, keras.optimizers.AdamW)
    rates = []
    for step in (0, 15, 30, 65, 100):
        made.iterations.assign(step)
        rates.append(float(made.learning_rate))
    first, rising, top, falling, last = rates
    assert top == pytest.approx(0.01)
    assert first < rising < top
    assert falling == pytest.approx(0.005)
    assert last == pytest.approx(0, abs=1e-9)


def test_the_constant_rate_is_adam():
    assert type(optimizer(TrainConfig(), 100)) is keras.optimizers.Adam


def test_a_run_goes_through_int8_export_and_is_compared_with_keras(
    data: Path, tmp_path: Path, cli: Cli
):
    run, model = tmp_path / "run", tmp_path / "m.onnx"
    assert cli("train", data, "-o", run, *SMALL, "--calibrate")[0] == 0
    config = json.loads((run / "config.json").read_text())
    assert config["network"] == {"kind": "compact"}
    assert config["preprocessing"]["resize"] == "lanczos"
    assert (config["schedule"], config["patience"], config["epochs"]) == ("one-cycle", None, 4)
    assert len(rows(run / "epochs.csv")) == 4
    # The gates compare the float file with Keras, and the int8 file with the float file.
    loose = ("--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1")
    code, _, err = cli("export", run, "-o", model, "--quantize", "--min-speedup", "0", *loose)
    assert code == 0, err
    image = next((data / "Valid" / "Real").iterdir())
    code, out, _ = cli("predict", image, "-m", model, "--format", "jsonl")
    assert code == 0
    source = keras.saving.load_model(run / "model.keras")
    from galaxy_edge.inputs.images import decode
    from galaxy_edge.inputs.preprocessing import Preprocessing

    pixels = decode(image, Preprocessing(size=16, resize="lanczos"))
    expected = source.predict(pixels[None] / np.float32(255), verbose=0).item()
    assert json.loads(out)["score"] == pytest.approx(expected, abs=0.1)


@bit_for_bit
def test_an_interrupted_cycle_resumes_where_it_was(
    data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    assert cli("train", data, "-o", tmp_path / "whole", *SMALL)[0] == 0

    def stop(self: Recorder, epoch: int, logs: object = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch)

    begin = Recorder.on_epoch_begin
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_epoch_begin", stop)
        assert cli("train", data, "-o", tmp_path / "cut", *SMALL)[0] == 130
    assert cli("train", data, "-o", tmp_path / "cut", *SMALL, "--resume")[0] == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_the_sizes_of_its_layers_are_fixed(data: Path, tmp_path: Path, cli: Cli):
    code, _, err = cli("train", data, "-o", tmp_path / "run", *SMALL, "--dense-units", "8")
    assert (code, "sizes of the compact network are fixed" in err) == (2, True)
