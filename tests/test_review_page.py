"""The page "Review": its loop runs, from verdicts to a second model that is compared."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxy_edge.inputs.label_file import labels_in
from tests.conftest import TINY, encoded, galaxy, make_data
from tests.following import commands_in, follow
from tests.galaxy_edge.review.serving import reviewing
from tests.pages import steps

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
Cli = Callable[..., tuple[int, str, str]]
#: What is added to a command of the page, so that it takes seconds.
SHORT = {
    "train": [*TINY, "--epochs", "1", "--augment", "none", "--quiet"],
    "export": ["--no-typicality", "--quiet"],
    "evaluate": ["--bootstrap", "0", "--quiet"],
    "predict": ["--quiet"],
}


@pytest.fixture
def folder(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data, new images of which one is a copy of a test image, and a first model."""
    make_data(tmp_path / "dataset", test=4)
    night = tmp_path / "night"
    night.mkdir()
    for seed in range(6):
        (night / f"{seed}.png").write_bytes(encoded(galaxy(700 + seed, real=seed % 2 == 0)))
    shutil.copy(tmp_path / "dataset" / "Test" / "Real" / "000.png", night / "tested.png")
    shutil.copy(model_file, tmp_path / "mine.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_loop_of_the_page_runs(folder: Path, cli: Cli) -> None:
    ran = []
    for step in steps("docs/review.md"):
        (words,) = commands_in(step.text)
        ran.append(words[0])
        if words[0] == "review":
            _review(words[1:], folder)
        else:
            follow([step], cli, SHORT)
    assert ran == ["predict", "review", "train", "export", "evaluate", "predict", "review"]
    data = json.loads(Path("runs/second/data.json").read_text())
    trained = {Path(item["path"]).name: item["label"] for item in data["files"]["Train"]}
    # All but the copy of a test image, which stays in Test with its new label.
    assert {f"{seed}.png" for seed in range(6)} <= trained.keys()
    assert "tested.png" not in trained
    assert (trained["0.png"], trained["1.png"]) == (1, 0)
    assert {item["path"]: item["label"] for item in data["files"]["Test"]}["Test/Real/000.png"] == 0
    config = json.loads(Path("runs/second/config.json").read_text())
    assert config["added"] == [str(folder / "labels.csv")]


def _review(words: list[str], folder: Path) -> None:
    with reviewing(*words, cwd=folder) as served:
        summary = served.get("run")
        assert summary["total"] == 7
        assert summary["classes"] == ["Fake", "Real"]
        if "--compare" in words:
            assert summary["counts"]["labelled"] == 7
            numbers = served.get("order?sort=difference")["rows"]
            found = served.get(f"rows?numbers={','.join(map(str, numbers))}")["rows"]
            values = [row["difference"] for row in found]
            assert values == sorted(values, reverse=True)
            return
        rows = served.get("rows?numbers=0,1,2,3,4,5,6")["rows"]
        for row in rows:
            name = Path(row["id"]).stem
            served.label((row["row"], "Real" if name in ("0", "2", "4") else "Fake"))
        assert len(labels_in(Path("labels.csv"))) == 7


def test_a_file_of_labels_trains_alone(folder: Path, cli: Cli) -> None:
    images = [path.relative_to(folder) for path in sorted(folder.glob("dataset/*/*/*.png"))]
    with Path("labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "id", "status", "predicted", "score", "time"])
        for path in images:
            for label in ("Fake", path.parent.name):
                writer.writerow([path, label, "", "ok", "", "", "2026-11-26T12:00:00Z"])
    code, out, err = cli("train", "labels.csv", *SHORT["train"])
    assert (code, out) == (0, "runs/labels\n"), err
    data = json.loads(Path("runs/labels/data.json").read_text())
    assert sum(sum(counts.values()) for counts in data["counts"].values()) == len(images)


def test_labels_of_another_class_or_for_a_container_are_refused(folder: Path, cli: Cli) -> None:
    Path("labels.csv").write_text("path,label\nnight/0.png,Star\nnight/gone.png,Real\n")
    code, _, err = cli("train", "dataset", "--add", "labels.csv", *SHORT["train"])
    assert code == 2
    assert "row 1 of" in err
    assert "Star is not one of the classes (Fake, Real)" in err
    assert "night/gone.png: there is no such file" in err
    words = (
        "train",
        "night.tar",
        "--label-column",
        "cls",
        "--classes",
        "a,b",
        "--add",
        "labels.csv",
    )
    code, _, err = cli(*words)
    assert code == 2
    assert "--add is for folders and catalogues" in err
