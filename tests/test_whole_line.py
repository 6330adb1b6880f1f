"""The commands one after the other, as a user runs them, on made-up and on real galaxies."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy, make_data

Cli = Callable[..., tuple[int, str, str]]


def whole_line(cli: Cli, data: Path, images: Path, folder: Path, *options: object) -> list[dict]:
    run, model, rows = folder / "run", folder / "model.onnx", folder / "rows.csv"
    assert cli("train", data, "-o", run, *options)[0] == 0
    # How fast a network is that has next to nothing to compute is left to chance.
    code, _, err = cli("export", run, "--quantize", "--min-speedup", 0, "-o", model)
    assert code == 0, err
    assert cli("predict", images, "-m", model, "-o", rows)[0] == 0
    with rows.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_task_that_can_be_learned_is_learned(tmp_path: Path, cli: Cli):
    """Blobs against noise: every step between the first pixel and the verdict must be right."""
    data = make_data(tmp_path / "data", train=60, valid=20)
    options = ("--image-size", 24, "--filters", "4,8", "--dense-units", 16, "--batch-size", 8,
               "--learning-rate", 0.005, "--epochs", 8, "--augment", "exact")  # fmt: skip
    rows = whole_line(cli, data, data / "Valid" / "Real", tmp_path, *options)
    assert [row["label"] for row in rows] == ["Real"] * 20


@pytest.mark.slow
def test_on_real_galaxies(shared: Path, tmp_path: Path, cli: Cli):
    """A thinned-out galaxies64 through the documented network, and 424 px cutouts it never saw."""
    data = tmp_path / "data"
    for split, every in (("Train", 10), ("Valid", 10)):
        for name in ("Fake", "Real"):
            target = data / split / name
            target.mkdir(parents=True)
            for path in sorted((shared / "galaxies64" / split / name).iterdir())[::every]:
                shutil.copy(path, target)
    options = ("--epochs", 2, "--resize", "lanczos", "--augment", "exact", "--working-size", 64)
    rows = whole_line(cli, data, shared / "galaxyzoo_sdss", tmp_path, *options)
    assert len(rows) == 86
    assert {row["status"] for row in rows} == {"ok"}


def reals_to_report(cli: Cli, folders: list[Path], folder: Path, size: int) -> dict:
    """synthesize -> train -> export --quantize -> evaluate; gives the evaluation's metrics."""
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
    # Generators of two epochs fool nobody.
    assert metrics["overall"]["auc"] > 0.9
    assert metrics["overall"]["expected_calibration_error"] < 0.3


def test_reals_alone_become_a_measured_classifier(tmp_path: Path, cli: Cli):
    for name, first in (("near", 0), ("far", 1000)):
        (tmp_path / name).mkdir()
        for number in range(60):
            path = tmp_path / name / f"{number}.png"
            path.write_bytes(encoded(galaxy(first + number, 24)))
    folders = [tmp_path / "near", tmp_path / "far"]
    check_report(reals_to_report(cli, folders, tmp_path, 16), {"near", "far"})


@pytest.mark.slow
def test_real_reals_alone_become_a_measured_classifier(shared: Path, tmp_path: Path, cli: Cli):
    for name in ("efigi", "skyserver"):
        (tmp_path / name).mkdir()
        for path in sorted((shared / name).iterdir())[:60]:
            shutil.copy(path, tmp_path / name)
    folders = [tmp_path / "efigi", tmp_path / "skyserver"]
    check_report(reals_to_report(cli, folders, tmp_path, 32), {"efigi", "skyserver"})
