"""The commands in sequence, as a user runs them, on drawn and on real galaxies."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy, make_data

Cli = Callable[..., tuple[int, str, str]]


def train_export_predict(
    cli: Cli, data: Path, images: Path, folder: Path, *options: object
) -> list[dict]:
    run, model, rows = folder / "run", folder / "model.onnx", folder / "rows.csv"
    assert cli("train", data, "-o", run, *options)[0] == 0
    # The speed of such a tiny network is random, so the gate on speed is off.
    code, _, err = cli("export", run, "--quantize", "--min-speedup", 0, "-o", model)
    assert code == 0, err
    assert cli("predict", images, "-m", model, "-o", rows)[0] == 0
    with rows.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_learnable_task_is_learned(tmp_path: Path, cli: Cli):
    """Blobs against noise are easy, so a wrong verdict means that a step of the chain is wrong."""
    data = make_data(tmp_path / "data", train=60, valid=20)
    options = ("--image-size", 24, "--filters", "4,8", "--dense-units", 16, "--batch-size", 8,
               "--learning-rate", 0.005, "--epochs", 8, "--augment", "exact")  # fmt: skip
    rows = train_export_predict(cli, data, data / "Valid" / "Real", tmp_path, *options)
    assert [row["label"] for row in rows] == ["Real"] * 20


@pytest.mark.slow
def test_the_commands_run_on_real_galaxies(shared: Path, tmp_path: Path, cli: Cli):
    """The documented network, trained on a tenth of galaxies64, predicts unseen 424 px cutouts."""
    data = tmp_path / "data"
    for split, every in (("Train", 10), ("Valid", 10)):
        for name in ("Fake", "Real"):
            target = data / split / name
            target.mkdir(parents=True)
            for path in sorted((shared / "galaxies64" / split / name).iterdir())[::every]:
                shutil.copy(path, target)
    options = ("--epochs", 2, "--resize", "lanczos", "--augment", "exact", "--working-size", 64)
    rows = train_export_predict(cli, data, shared / "galaxyzoo_sdss", tmp_path, *options)
    assert len(rows) == 86
    # Larger cutouts, in another compression than the training images.
    assert {row["status"] for row in rows} <= {"ok", "out_of_distribution"}
    assert all(float(row["typicality"]) >= 0 for row in rows)


def report_from_reals(cli: Cli, folders: list[Path], folder: Path, size: int) -> dict:
    """Run synthesize, train, export --quantize and evaluate; return the evaluation's metrics."""
    data, run, model = folder / "data", folder / "run", folder / "model.onnx"
    code, _, err = cli(
        "synthesize", *folders, "-o", data, "--generator", "vae,gan,diffusion", "--size", size,
        "--train", 60, "--valid", 24, "--epochs", 2, "--batch-size", 16, "--quiet",
    )  # fmt: skip
    assert code == 0, err
    code, _, err = cli(
        "train", data, "-o", run, "--image-size", 32, "--filters", "4,8", "--dense-units", 16,
        "--batch-size", 8, "--learning-rate", 0.005, "--epochs", 6, "--augment", "exact",
        "--working-size", size, "--jpeg-quality", 60, "--noise", 3, "--calibrate", "--quiet",
    )  # fmt: skip
    assert code == 0, err
    limits = ("--min-speedup", 0, "--max-accuracy-drop", 5, "--max-flips", 5, "--max-auc-drop", 1)
    code, _, err = cli("export", run, "--quantize", *limits, "-o", model)
    assert code == 0, err
    assert cli("evaluate", data, "-m", model, "-o", folder / "report", "--quiet")[0] == 0
    return json.loads((folder / "report" / "metrics.json").read_text())


def check_report(metrics: dict, sources: set[str]):
    assert {(each["class"], each["source"]) for each in metrics["sources"]} == {
        *(("Fake", family) for family in ("vae", "gan", "diffusion")),
        *(("Real", source) for source in sources),
    }
    # Fakes of generators trained for two epochs are easy to recognise.
    assert metrics["overall"]["auc"] > 0.9
    assert metrics["overall"]["expected_calibration_error"] < 0.3


def test_drawn_reals_alone_give_an_evaluated_classifier(tmp_path: Path, cli: Cli):
    for name, first in (("near", 0), ("far", 1000)):
        (tmp_path / name).mkdir()
        for number in range(60):
            path = tmp_path / name / f"{number}.png"
            path.write_bytes(encoded(galaxy(first + number, 24)))
    folders = [tmp_path / "near", tmp_path / "far"]
    check_report(report_from_reals(cli, folders, tmp_path, 16), {"near", "far"})


@pytest.mark.slow
def test_real_galaxies_alone_give_an_evaluated_classifier(shared: Path, tmp_path: Path, cli: Cli):
    for name in ("efigi", "skyserver"):
        (tmp_path / name).mkdir()
        for path in sorted((shared / name).iterdir())[:60]:
            shutil.copy(path, tmp_path / name)
    folders = [tmp_path / "efigi", tmp_path / "skyserver"]
    check_report(report_from_reals(cli, folders, tmp_path, 32), {"efigi", "skyserver"})
