"""A model with three classes and a typicality, from the model file to every output format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from astropy.table import Table
from onnx import TensorProto, helper

from galaxy_edge import ModelError, Prediction, Predictor, Preprocessing, UsageError
from galaxy_edge.manifest import DecisionRule, Golden, Manifest, Outputs
from galaxy_edge.outputs import columnar
from galaxy_edge.results import columns, is_number
from tests.conftest import encoded

Cli = Callable[..., tuple[int, str, str]]
CLASSES = ("red", "green", "S0/a blue")
NAMES = columns(CLASSES)


def flat(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((8, 8, 3), (red, green, blue), np.uint8)


IMAGES = {
    "a.png": flat(250, 10, 10),
    "b.png": flat(10, 250, 10),
    "c.png": flat(10, 10, 250),
    "dark.png": flat(0, 0, 0),
}


def file(
    path: Path,
    rule: DecisionRule | None = None,
    *,
    softmax: bool = True,
    width: int = 3,
    classes: tuple[str, ...] = (),
) -> Path:
    """Write a model whose class is the brightest colour, and whose typicality is its brightness."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["logits"]),
        helper.make_node("Softmax" if softmax else "Sigmoid", ["logits"], ["scores"]),
        helper.make_node("ReduceMax", ["mean", "last"], ["largest"], keepdims=0),
        helper.make_node("Div", ["largest", "white"], ["typicality"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        onnx.numpy_helper.from_array(np.array([1], np.int64), "last"),
        onnx.numpy_helper.from_array(np.array(1 / 50, np.float32), "scale"),
        onnx.numpy_helper.from_array(np.array(255, np.float32), "white"),
    ]
    graph = helper.make_graph(
        nodes, "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", width]),
         helper.make_tensor_value_info("typicality", TensorProto.FLOAT, ["N"])],
        constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    manifest = Manifest(
        classes=classes or CLASSES, outputs=Outputs("scores", "typicality"),
        decision=rule or DecisionRule(None),
        preprocessing=Preprocessing(size=8),
        golden=(Golden(encoded(IMAGES["a.png"]), "00", (0.98, 0.01, 0.01)),),
    )  # fmt: skip
    helper.set_model_props(model, manifest.to_metadata())
    onnx.save(model, path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, image in IMAGES.items():
        (tmp_path / name).write_bytes(encoded(image))
    (tmp_path / "empty.png").touch()
    monkeypatch.chdir(tmp_path)
    file(tmp_path / "m.onnx", DecisionRule(0.9, None, 0.01))
    return tmp_path


def check(rows: list[dict]):
    by_name = {row["path"]: row for row in rows}
    assert [*by_name] == [*IMAGES, "empty.png"]
    for name, label in zip(("a.png", "b.png", "c.png"), CLASSES, strict=True):
        row = by_name[name]
        assert (row["status"], row["label"]) == ("ok", label)
        assert row["score"] == row[f"p_{label}"] > 0.9
        assert sum(row[f"p_{one}"] for one in CLASSES) == pytest.approx(1, abs=1e-6)
        assert row["typicality"] == pytest.approx(250 / 255)
    dark, empty = by_name["dark.png"], by_name["empty.png"]
    assert (dark["status"], dark["label"], dark["typicality"]) == ("out_of_distribution", None, 0)
    assert dark["score"] == pytest.approx(1 / 3)
    assert (empty["status"], empty["score"], empty["p_red"]) == ("error", None, None)


def numbers(row: dict[str, str]) -> dict[str, object]:
    return {
        name: None if value == "" else float(value) if is_number(name) else value
        for name, value in row.items()
    }


def test_every_format_has_a_column_for_each_class(folder: Path, cli: Cli):
    for suffix in ("jsonl", "csv", "parquet", "fits"):
        code, _, err = cli(
            "predict", *IMAGES, "empty.png", "-m", "m.onnx", "-o", f"v.{suffix}", "--threshold", 0.5
        )
        assert code == 1
        assert "5 images: 1 red, 1 green, 1 S0/a blue, 1 out of distribution, 1 failed" in err
        path = Path(f"v.{suffix}")
        if suffix == "jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
        elif suffix == "csv":
            with path.open(newline="") as stream:
                rows = [numbers(row) for row in csv.DictReader(stream)]
        else:
            rows = list(columnar.read(path, suffix, NAMES))
        assert tuple(rows[0]) == NAMES
        check(rows)
        # Resuming the finished file changes nothing.
        before = path.read_bytes()
        code, _, err = cli(
            "predict", *IMAGES, "empty.png", "-m", "m.onnx", "-o", path, "--threshold", 0.5,
            "--resume",
        )  # fmt: skip
        assert (code, "5 of them earlier" in err) == (1, True)
        assert path.read_bytes() == before
    assert tuple(Table.read("v.fits").colnames) == NAMES


def test_a_score_below_the_threshold_has_no_label(folder: Path):
    near = flat(130, 120, 10)
    sure = Predictor("m.onnx", threshold=0.5).predict(near)
    unsure = Predictor("m.onnx").predict(near)
    assert (sure.status, sure.label) == ("ok", "red")
    assert (unsure.status, unsure.label, unsure.threshold) == ("uncertain", None, 0.9)
    assert unsure.scores["red"] == unsure.score == sure.score


def test_without_a_threshold_the_most_probable_class_is_the_label(tmp_path: Path):
    predictor = Predictor(file(tmp_path / "m.onnx"))
    verdict = predictor.predict(flat(130, 120, 10))
    assert (verdict.status, verdict.label, verdict.threshold) == ("ok", "red", None)
    assert predictor.predict(IMAGES["dark.png"]).status == "ok"
    images = np.stack([*IMAGES.values()])
    assert predictor.scores(images).shape == (4, 3)


def test_the_table_shows_the_label_or_the_status(folder: Path, cli: Cli):
    _, out, _ = cli("predict", *IMAGES, "empty.png", "-m", "m.onnx")
    words = [line.split("  ")[0] for line in out.splitlines()]
    assert words == ["verdict", "red", "green", "S0/a blue", "out_of_distribution", "error"]


def test_predictions_of_failed_inputs_have_no_scores(folder: Path):
    (row,) = Predictor("m.onnx").predict_many([b""])
    assert isinstance(row, Prediction)
    assert dict(row.scores) == dict.fromkeys(CLASSES)


def test_a_file_without_softmax_gives_no_verdicts(tmp_path: Path):
    predictor = Predictor(file(tmp_path / "m.onnx", softmax=False))
    with pytest.raises(ModelError, match="softmax"):
        predictor.predict(IMAGES["a.png"])


def test_a_file_whose_outputs_do_not_fit_its_classes_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"its output must be scores, float32 \[N, 3\]"):
        Predictor(file(tmp_path / "m.onnx", width=2))


def test_labels_beyond_ascii_are_counted_after_a_resume(tmp_path: Path, cli: Cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("F\u00e4lschung", "R\u00e9el", "c")
    file(tmp_path / "m.onnx", classes=names)
    Path("a.png").write_bytes(encoded(IMAGES["a.png"]))
    for suffix in ("fits", "parquet"):
        command = ("predict", "a.png", "-m", "m.onnx", "-o", f"v.{suffix}")
        assert cli(*command)[0] == 0
        _, _, err = cli(*command, "--resume")
        assert "1 images: 1 of them earlier, 1 F\u00e4lschung, 0 R\u00e9el" in err


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a" * 70, "b", "c"), "too long a name"),
        (("spiral", "SPIRAL arm", "spiral ARM2", "Spiral Arm2 "[:-1]), "cannot tell"),
        (tuple(f"class {number}" for number in range(990)), "at most 999 columns"),
    ],
)
def test_columns_that_fits_cannot_hold_are_refused_before_the_work(
    tmp_path: Path, cli: Cli, names: tuple[str, ...], words: str
):
    with pytest.raises(UsageError, match=words):
        columnar.check("fits", columns(names))
    columnar.check("parquet", columns(names))


def test_a_fits_table_of_many_columns_is_recognised_and_resumed(tmp_path: Path):
    names = columns([f"class {number}" for number in range(300)])
    row = dict.fromkeys(names) | {"id": "a", "status": "error", "model": "m"}
    columnar.write(tmp_path / "x.fits", "fits", names, lambda: iter([row]))
    assert columnar.is_table(tmp_path / "x.fits")
    assert [one["id"] for one in columnar.read(tmp_path / "x.fits", "fits", names)] == ["a"]
    Table({"x": [1]}).write(tmp_path / "other.fits")
    assert not columnar.is_table(tmp_path / "other.fits")
