"""The page "Review": its loop runs, from verdicts to a second model that is compared."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    for step in steps("docs/review.md", "Review", "The loop"):
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


def _night(path: Path, *, rows: int = 6) -> None:
    """Images in a table, of which the last one is a copy of a test image."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    images = [encoded(galaxy(700 + seed, real=seed % 2 == 0)) for seed in range(rows - 1)]
    images.append(Path("dataset/Test/Real/000.png").read_bytes())
    names = [f"G{(seed * 5) % rows}" for seed in range(rows)]
    parquet.write_table(pa.table({"cutout": images, "name": names}), path, row_group_size=2)


def test_labels_of_a_container_are_trained_on_and_exported(folder: Path, cli: Cli) -> None:
    _night(Path("night.parquet"))
    predict, review, train, export = (
        commands_in(step.text)[0] for step in steps("docs/review.md", "Images in containers")
    )
    code, _, err = cli(*predict, "--quiet")
    assert code == 0, err
    with reviewing(*review[1:], cwd=folder) as served:
        for row in served.get("rows?numbers=0,1,2,3,4,5")["rows"]:
            number = row["row"]
            assert row["id"] == f"G{(number * 5) % 6}"
            status, headers, png = served.ask(f"picture/{number}")
            assert (status, headers["content-type"]) == (200, "image/png")
            if number < 5:
                with Image.open(io.BytesIO(png)) as image:
                    expected = galaxy(700 + number, real=number % 2 == 0)
                    assert np.array_equal(np.asarray(image), expected)
            served.label((number, "Fake" if number in (1, 3, 5) else "Real"))
    code, _, err = cli("train", "dataset", "--add", "labels.csv", *SHORT["train"])
    assert code == 2
    assert "name the column of its images with --image-column" in err
    code, _, err = cli(*train, *SHORT["train"])
    assert code == 0, err
    assert "added labels: 1 images of" in err
    data = json.loads(Path("runs/third/data.json").read_text())
    trained = {item["path"]: item["label"] for item in data["files"]["Train"]}
    added = {path: label for path, label in trained.items() if "#" in path}
    # All but the copy of a test image, which stays in Test with its new label.
    assert added == {f"{folder}/night.parquet#{number}": number % 2 == 0 for number in range(5)}
    assert {item["path"]: item["label"] for item in data["files"]["Test"]}["Test/Real/000.png"] == 0
    code, _, err = cli(*export, "--quiet")
    assert code == 0, err
    # The export reads the same images again, and refuses others.
    _night(Path("night.parquet"), rows=5)
    Path("third.onnx").unlink()
    code, _, err = cli(*export, "--quiet")
    assert code == 2
    assert "night.parquet#4 has changed since the training" in err


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
