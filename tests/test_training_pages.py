"""The pages about training and export: their commands run, and make what the pages say."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy, make_data
from tests.following import commands_in, follow
from tests.galaxy_edge.review.serving import reviewing
from tests.pages import steps

pytest.importorskip("tensorflow", reason="the extra `train` is not installed")
Cli = Callable[..., tuple[int, str, str]]
#: What is added to a command, so that it takes seconds and passes after so little training.
SHORT = {
    "synthesize": ["--size", "16", "--train", "12", "--valid", "12", "--epochs", "1", "-q"],
    "train": ["--epochs", "1", "--image-size", "16", "--batch-size", "16", "-q"],
    "export": ["--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1",
               "--min-speedup", "0", "-q"],
    "evaluate": ["--bootstrap", "20", "-q"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cutouts to classify."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "cutouts", 6)
    return tmp_path


def fill(place: Path, count: int, seed: int = 0) -> None:
    place.mkdir(parents=True)
    for number in range(count):
        (place / f"{number}.png").write_bytes(encoded(galaxy(1000 * seed + number, 24)))


def config_of(run: str) -> dict:
    return json.loads(Path("runs", run, "config.json").read_text())


def manifest_of(cli: Cli, model: str) -> dict:
    return json.loads(cli("info", model)[1])


@pytest.mark.slow
def test_training(folder: Path, cli: Cli):
    data = make_data(folder / "DATA_DIR")
    images = [(path.relative_to(folder), path.parent.name) for path in data.glob("*/*/*.png")]
    with Path("types.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "type"), *images])
    first, resumed, *others = steps("docs/train.md", "Training")
    follow([first], cli, SHORT)
    files = {
        "model.keras", "model.h5", "config.json", "data.json", "epochs.csv", "batches.csv",
        "metrics.json", "batch_accuracy.png", "epoch_accuracy.png", "epoch_loss.png",
        "confusion.png",
    }  # fmt: skip
    assert {path.name for path in Path("runs/mine").iterdir()} >= files
    # A kill leaves a folder of this name.
    Path("runs/mine").rename("runs/mine.partial")
    assert [done.out for done in follow([resumed], cli, SHORT)] == ["runs/mine\n"]
    follow(others, cli, SHORT)
    assert config_of("types")["classes"] == ["Fake", "Real"]
    assert config_of("exact")["preprocessing"]["working_size"] == 64
    assert config_of("compact")["network"]["kind"] == "compact"
    assert "held_out_calibration_error" in Path("runs/compact/metrics.json").read_text()
    assert json.loads(Path("runs/slim/metrics.json").read_text())["slimming"], "its rounds"


def test_training_against_shortcuts(folder: Path, cli: Cli):
    make_data(folder / "DATA_DIR")
    follow(steps("docs/train.md", "Pitfalls"), cli, SHORT)
    assert config_of("altered")["augment"]["jpeg_quality"] == 50
    assert config_of("survey")["augment"]["oversample"] == 3
    (done,) = follow(steps("docs/training-speed.md"), cli, SHORT)
    assert done.out == "runs/DATA_DIR\n"
    assert json.loads(Path("runs/DATA_DIR/metrics.json").read_text())["backend"] == "tensorflow"


def test_export(folder: Path, run_folder: Path, cli: Cli):
    import keras

    shutil.copytree(run_folder, "runs/mine")
    shutil.copy(run_folder / "model.keras", folder)
    keras.saving.load_model("model.keras").export("saved_model", verbose=False)
    int8, half, alone, saved, opened, predict = follow(steps("docs/export.md"), cli, SHORT)
    assert [done.out.strip() for done in (int8, half, alone, saved, opened)] == [
        "mine.onnx", "runs/mine/model-fp16.onnx", "model.onnx", "saved_model.onnx",
        "runs/mine/model.onnx",
    ]  # fmt: skip
    assert manifest_of(cli, "mine.onnx")["quantization"]["layers"]
    assert manifest_of(cli, "runs/mine/model-fp16.onnx")["quantization"]
    assert manifest_of(cli, "model.onnx")["training"]["input_range"] == "0..1"
    assert manifest_of(cli, "saved_model.onnx")["training"]["input_range"] == "0..1"
    assert manifest_of(cli, "runs/mine/model.onnx")["decision"]["open_class"] == "Fake"
    assert len(predict.out.splitlines()) == 1 + 6


def test_typicality(folder: Path, cli: Cli):
    make_data(folder / "dataset")
    *_, predict = follow(steps("docs/typicality.md", "Typicality"), cli, SHORT)
    assert len(predict.out.splitlines()) == 1 + 6
    assert manifest_of(cli, "mine.onnx")["decision"]["open_class"] == "Fake"


@pytest.mark.slow
def test_synthetic_data(folder: Path, cli: Cli, few_steps: None):
    fill(folder / "efigi", 40, 1)
    fill(folder / "skyserver", 40, 2)
    ran = follow(steps("docs/synthesize.md"), cli, SHORT)
    assert [done.name for done in ran] == ["synthesize", "train", "export", "evaluate"]
    families = {"vae", "gan", "diffusion", "reconstruction", "disturbance"}
    for split in ("Train", "Valid"):
        assert {path.name for path in Path("dataset", split, "Fake").iterdir()} == families
        reals = {path.name for path in Path("dataset", split, "Real").iterdir()}
        assert reals == {"efigi", "skyserver"}
    for name in ("contact_sheet.png", "realism.png", "realism.json", "generators.json"):
        assert Path("dataset", name).exists()
    assert Path("report/report.html").exists()


@pytest.mark.slow
def test_the_main_commands_of_the_readme(folder: Path, cli: Cli):
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    fill(folder / "reals", 60)
    make_data(folder / "labelled" / "data", train=0, valid=8)
    (folder / "labelled" / "data" / "Valid" / "Fake").rename("labelled/Fake")
    (folder / "labelled" / "data" / "Valid" / "Real").rename("labelled/Real")
    shutil.rmtree("labelled/data")
    predict, review, *others = steps("README.md", "Main commands")
    follow([predict], cli)
    ((_, *words),) = commands_in(review.text)
    with reviewing(*words, cwd=folder) as served:
        assert served.get("run")["total"] == 6
    ran = follow(others, cli, SHORT)
    assert [done.name for done in ran] == ["synthesize", "train", "export", "evaluate", "verify"]
    assert Path("report/report.html").exists()
    assert manifest_of(cli, "mine.onnx")["quantization"]["layers"]
    assert "10 of 10" in ran[-1].out
