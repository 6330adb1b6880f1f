"""train -> export --quantize -> predict, as a user runs it, on made-up and on real galaxies."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import make_data

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
