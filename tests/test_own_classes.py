"""The page "Your own classes": its script and its commands run, on a small copy of the data."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge.inputs.images import Pixels
from tests.conftest import encoded
from tests.following import follow
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
#: What is added to a command of the page, so that it takes seconds.
SHORT = {
    "train": ["--epochs", "2", "--image-size", "16", "--batch-size", "16"],
    "export": ["--max-accuracy-drop", "100", "--max-flips", "100", "--max-auc-drop", "1",
               "--min-speedup", "0"],
    "evaluate": ["--bootstrap", "20"],
}  # fmt: skip


def stage_image(seed: int, t: int) -> Pixels:
    """A blob that is redder and more concentrated for early types."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24] - 11.5
    blob = 150 * np.exp(-np.hypot(x, y) / (5 + t / 4))[..., None]
    colour = 1 + np.array([-t, 0, t]) / 20
    return (blob * colour + rng.integers(0, 40, (24, 24, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture
def efigi(tmp_path: Path) -> Path:
    """A small EFIGI: the table, two lists and images, where the script looks for them."""
    data = tmp_path / "shared" / "data"
    (data / "efigi").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    stages = [-5, -2, 2, 6, 10]
    files = [(f"PGC{n:07}.jpg", stages[n % 7 % 5]) for n in range(300)]
    for number, (file, t) in enumerate(files):
        (data / "efigi" / file).write_bytes(encoded(stage_image(number, t), "JPEG"))
    (data / "efigi-train.txt").write_text("\n".join(file for file, _ in files[:240]))
    # One image of each list has no type, as in the catalogue.
    (data / "efigi-valid.txt").write_text("\n".join(file for file, _ in files[240:]))
    with (data / "efigi-types.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerows([("file", "t"), *files[1:]])
    return tmp_path / "work"


def test_the_script_and_the_commands_of_the_page_run(
    efigi: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(efigi)
    script, *commands = steps("docs/own-classes.md")
    follow([script], cli)
    assert len(list(efigi.glob("types/*/*/*.jpg"))) == 299
    assert {path.name for path in efigi.glob("types/*")} == {"Train", "Valid", "Test"}
    ran = [done.name for done in follow(commands, cli, SHORT)]
    assert ran == ["train", "export", "evaluate", "predict", "predict"]
    config = json.loads((efigi / "runs/types/config.json").read_text())
    assert config["classes"] == sorted(
        ["elliptical", "lenticular", "early spiral", "late spiral", "irregular"]
    )
    assert (efigi / "report" / "report.html").exists()
    assert (efigi / "types.parquet").exists()
