"""``galaxy-edge evaluate`` with a model for three classes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import encoded
from tests.galaxy_edge.test_classes import CLASSES, file, flat

Cli = Callable[..., tuple[int, str, str]]
#: "S0/a blue" cannot name a folder.
NAMES = ("red", "green", "blue")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reds, greens from two sources, blues; one green is blue, one file is damaged."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(NAMES):
        for source in ("near", "far") if name == "green" else ("",):
            place = tmp_path / "data" / name / source
            place.mkdir(parents=True)
            for number in range(6):
                colour = [60, 60, 60]
                colour[label] = int(rng.integers(90, 220))
                (place / f"{number}.png").write_bytes(encoded(flat(*colour)))
    (tmp_path / "data/green/far/0.png").write_bytes(encoded(flat(10, 20, 250)))
    (tmp_path / "data/red/5.png").write_bytes(b"no image")
    file(tmp_path / "m.onnx", classes=NAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_document_and_the_files(folder: Path, cli: Cli):
    code, out, err = cli("evaluate", "data", "-m", "m.onnx", "-o", "report", "--bootstrap", 50)
    assert (code, out) == (1, "report\n")
    assert "data/red/5.png: not an image" in err
    assert "5 red, 12 green, 6 blue, 1 unreadable" in err
    found = json.loads(Path("report/metrics.json").read_text())
    assert found["model"]["classes"] == list(NAMES)
    assert found["data"] | {"unreadable": 0} == {
        "folder": "data", "split": None, "images": 24, "scored": 23, "unreadable": 0,
    }  # fmt: skip
    overall = found["overall"]
    assert overall["accuracy"] == pytest.approx(22 / 23)
    low, high = overall["accuracy_interval"]
    assert low <= overall["accuracy"] <= high
    assert overall["confusion"]["green"] == {"red": 0, "green": 11, "blue": 1}
    assert overall["by_class"]["blue"]["precision"] == pytest.approx(6 / 7)
    assert [(one["class"], one["source"], one["images"]) for one in found["sources"]] == [
        ("red", "red", 5), ("green", "far", 6), ("green", "near", 6), ("blue", "blue", 6),
    ]  # fmt: skip
    assert {path.name for path in Path("report").iterdir()} == {
        "metrics.json", "scores.csv", "confusion.png", "roc.png", "reliability.png",
        "mistakes.png", "risk_coverage.png", "report.html",
    }  # fmt: skip
    for picture in Path("report").glob("*.png"):
        with Image.open(picture) as image:
            assert image.size > (300, 150)
    with Path("report/scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    assert [*rows[0]][3:7] == ["score", "p_red", "p_green", "p_blue"]
    html = Path("report/report.html").read_text()
    assert html.count("data:image/png;base64") == 5
    assert html.count("[0.") > 10
    assert "macro F1" in html


def test_the_same_seed_gives_the_same_files(folder: Path, cli: Cli):
    options = ("-m", "m.onnx", "-o", "report", "--bootstrap", 20, "-q")
    before = None
    for _ in range(2):
        assert cli("evaluate", "data", *options)[0] == 1
        after = {path.name: path.read_bytes() for path in Path("report").iterdir()}
        assert before in (None, after)
        before = after


def test_the_table_has_every_class(folder: Path, cli: Cli):
    _, out, _ = cli("evaluate", "data", "-m", "m.onnx", "--bootstrap", 0)
    for words in ("macro F1", "average precision", "accuracy (top 2)", *NAMES, "green/far"):
        assert words in out
    assert "share with a label" not in out
    _, out, _ = cli("evaluate", "data", "-m", "m.onnx", "--bootstrap", 0, "--threshold", 0.9)
    assert "share with a label" in out


def test_a_class_may_be_missing(folder: Path, cli: Cli):
    for path in sorted(Path("data/blue").rglob("*"), reverse=True):
        path.unlink()
    code, out, _ = cli(
        "evaluate", "data", "-m", "m.onnx", "-o", "report", "--bootstrap", 20, "--format", "json"
    )
    assert code == 1
    found = json.loads(out)
    assert found["overall"]["by_class"]["blue"]["recall"] is None
    assert found["overall"]["macro_auc"] is None
    assert found["overall"]["accuracy"] == pytest.approx(16 / 17)


def test_data_without_any_class_are_an_error(folder: Path, cli: Cli):
    (folder / "other" / "purple").mkdir(parents=True)
    code, _, err = cli("evaluate", "other", "-m", "m.onnx")
    assert code == 2
    assert "red, green or blue" in err
    file(folder / "odd.onnx")
    assert cli("evaluate", "data", "-m", "odd.onnx", "--bootstrap", 0)[0] == 1
    assert CLASSES[2] not in NAMES
