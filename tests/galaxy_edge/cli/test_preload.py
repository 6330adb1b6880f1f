"""Preloading the model before the command line is parsed saves time and changes nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from galaxy_edge import ModelError
from galaxy_edge.cli import preload
from galaxy_edge.engine import opening
from galaxy_edge.engine.opening import Opening, begin, located
from galaxy_edge.engine.threads import threads
from tests.conftest import encoded, galaxy


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> dict[Opening, object]:
    """The models that are being preloaded; none at the start of a test."""
    models: dict[Opening, object] = {}
    monkeypatch.setattr(opening, "_ahead", models)
    return models


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        (["predict", "a.png"], None),
        (["predict", "a.png", "-m", "b.onnx"], "b.onnx"),
        (["predict", "--model", "b.onnx", "a.png"], "b.onnx"),
        (["predict", "-m", "c.onnx", "-m", "b.onnx", "a.png"], "b.onnx"),
        (["predict", "-m", "documented", "a.png"], "documented"),
    ],
)
def test_simple_arguments_preload_the_model(arguments, model, begun):
    preload.begin(arguments)
    assert list(begun) == [Opening(located(model), "auto", threads().count)]


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--help"], ["predict"], ["predict", "--help"], ["predict", "a.png", "-h"],
        ["train", "a.png"], ["predict", "a.png", "--device", "cpu"],
        ["predict", "a.png", "--threads=2"], ["predict", "a.png", "--model=b.onnx"],
    ],
)  # fmt: skip
def test_other_arguments_preload_nothing(arguments, begun):
    preload.begin(arguments)
    assert begun == {}


def test_the_first_caller_gets_the_preloaded_model(model_file, begun):
    what = Opening(model_file, "cpu", 1)
    opening.begin_ahead(what)
    first = begun[what]
    assert begin(what) is first
    second = begin(what)
    assert second is not first
    assert second.result()[1] == first.result()[1]


def test_a_failure_is_reported_by_the_command_as_usual(tmp_path, cli):
    with pytest.raises(ModelError):
        begin(Opening(tmp_path / "absent.onnx", "cpu", 1)).result()
    code, _, err = cli("predict", "a.png", "-m", tmp_path / "absent.onnx")
    assert (code, "absent.onnx cannot be used" in err) == (3, True)


def test_a_wrong_guess_is_discarded(tmp_path, model_file):
    """``-m`` after ``--`` is a path: the tiny model is preloaded, but the bundled one is needed."""
    (tmp_path / "a.png").write_bytes(encoded(galaxy(1)))
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_edge", "predict", "--format", "jsonl", "a.png", "--", "-m",
         model_file],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == ["a.png", "-m", str(model_file)]
    assert {row["model"] for row in rows} == {"galaxy-edge.onnx"}
    assert done.returncode == 1


def test_a_missing_onnxruntime_is_reported(tmp_path):
    (tmp_path / "onnxruntime.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'onnxruntime'\", name='onnxruntime')"
    )
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_edge", "predict", "a.png"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (4, False)
    assert "pip install onnxruntime" in done.stderr
