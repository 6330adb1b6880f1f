"""tools/other-runtimes: its table and its exit codes, with the runtimes that are installed here."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "galaxy_edge" / "models" / "galaxy-edge.onnx"
TOOL = ROOT / "tools" / "other-runtimes"
SCORE = ROOT / "tools" / "runtimes" / "score.py"
DOWNLOADED = ("openvino", "tract", "onnxruntime-web", "reference")


def other_runtimes(
    *arguments: object, skip: tuple[str, ...] = DOWNLOADED, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    options = [option for name in skip for option in ("--skip", name)]
    return subprocess.run(
        [sys.executable, TOOL, *options, *map(str, arguments)],
        check=False, capture_output=True, text=True,
        env=os.environ | ({} if path is None else {"PATH": path}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(TOOL))


def rescored(path: Path, score: float) -> Path:
    """The bundled file, as if its exporter had recorded another score."""
    model = onnx.load(BUNDLED)
    for item in model.metadata_props:
        if item.key == "galaxy_edge.golden":
            examples = json.loads(item.value)
            examples[0]["scores"] = [score]
            item.value = json.dumps(examples)
    path.write_bytes(model.SerializeToString())
    return path


def test_the_table_shows_each_runtime_and_file():
    done = other_runtimes(BUNDLED, BUNDLED)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["runtime", "version", "model", "largest", "difference"]
    assert [row.split()[0] for row in rows] == ["onnxruntime", "onnxruntime", *DOWNLOADED]
    assert all(row.split()[2] == "galaxy-edge.onnx" for row in rows[:2])
    assert all(float(row.split()[-1]) <= 1e-3 for row in rows[:2])
    assert all(row.endswith("skipped: --skip") for row in rows[2:])


def test_the_typicality_is_compared_too(typical_file: Path, tmp_path: Path):
    done = other_runtimes(typical_file)
    assert done.returncode == 0, done.stderr
    assert ", typicality " in done.stdout.splitlines()[1]
    model = onnx.load(typical_file)
    for item in model.metadata_props:
        if item.key == "galaxy_edge.golden":
            examples = json.loads(item.value)
            examples[0]["typicality"] = 1.0
            item.value = json.dumps(examples)
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    done = other_runtimes(tmp_path / "other.onnx")
    assert done.returncode == 3
    assert done.stdout.splitlines()[1].endswith("WRONG")


def test_a_runtime_without_the_typicality_is_wrong(tool: dict[str, Any]):
    one = tool["Job"](
        BUNDLED, BUNDLED, (2, 1, 1, 3), "score", np.array([[0.1], [0.5]]), 1e-3, "typicality",
        np.array([0.2, 0.0]),
    )  # fmt: skip
    judge = tool["judge"]
    right = {"scores": [0.1, 0.5], "typicality": [0.2005, 0.0]}
    assert judge(right, one) == ("0.0e+00, typicality 5.0e-04", False)
    for typicality in ([0.202, 0.0], [float("nan"), 0.0], [0.2], []):
        assert judge(right | {"typicality": typicality}, one)[1]
    assert judge({"scores": [0.1, 0.5]}, one) == ("WRONG: 0 typicalities for 2 images", True)


def test_another_score_than_recorded_is_a_failure(tmp_path: Path):
    done = other_runtimes(rescored(tmp_path / "other.onnx", 0.5))
    assert done.returncode == 3
    assert re.search(r"other.onnx +4.0e-01.*WRONG", done.stdout.splitlines()[1])


def test_without_node_its_runtime_is_skipped_with_the_reason(tmp_path: Path):
    done = other_runtimes(skip=("openvino", "tract", "reference"), path=str(tmp_path))
    assert done.returncode == 0
    assert "skipped: node is not installed" in done.stdout


def test_wrong_arguments_are_refused_without_a_traceback(tmp_path: Path):
    (tmp_path / "no.onnx").write_bytes(b"no")
    for arguments in ((tmp_path / "absent.onnx",), (tmp_path / "no.onnx",), ("--skip", "none")):
        done = other_runtimes(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr


def test_a_runtime_that_cannot_be_downloaded_is_missing_and_the_download_is_repeated(
    tool: dict[str, Any], tmp_path: Path
):
    made, missing = tool["made"], tool["MissingError"]
    with pytest.raises(missing, match="no network"):
        made(tmp_path, "1", [sys.executable, "-c", "raise SystemExit('no network')"])
    count = [sys.executable, "-c", "open('count', 'a').write('.')"]
    for wanted in ("1", "1", "2"):
        made(tmp_path, wanted, count)
    assert (tmp_path / "count").read_text() == ".."


def test_a_missing_runtime_gives_exit_code_2(tool: dict[str, Any], capsys: Any):
    scope = tool["compare"].__globals__

    def absent(*_: object) -> None:
        raise scope["MissingError"]("no network")

    before = scope["command"]
    scope["command"] = absent
    try:
        assert tool["compare"]([], Path("job.json"), []) == 2
    finally:
        scope["command"] = before
    found = capsys.readouterr()
    assert found.out.count("MISSING") == 5
    assert "no network" in found.err


@pytest.mark.parametrize(
    ("answer", "text", "failure"),
    [
        ({"scores": [0.1, 0.5]}, "0.0e+00", False),
        ({"scores": [0.1, 0.5005]}, "5.0e-04", False),
        ({"scores": [0.1, 0.502]}, "2.0e-03  WRONG", True),
        ({"scores": [0.1, float("nan")]}, "nan  WRONG", True),
        ({"scores": [0.1, 0.5, 0.7]}, "WRONG: 3 numbers for 2 images", True),
        ({"scores": []}, "WRONG: 0 numbers for 2 images", True),
        ({"error": "no\n such operator"}, "REFUSED: no such operator", True),
        (
            {"custom": "com.microsoft"},
            "needs onnxruntime: it has operators of com.microsoft",
            False,
        ),
    ],
)
def test_the_judgement_of_an_answer(
    tool: dict[str, Any], answer: dict[str, Any], text: str, *, failure: bool
):
    one = tool["Job"](
        BUNDLED, BUNDLED, (2, 1, 1, 3), "score", np.array([[0.1], [0.5]]), tolerance=1e-3
    )
    assert tool["judge"](answer, one) == (text, failure)


def test_a_file_with_custom_operators_is_named_and_a_damaged_one_is_refused(tmp_path: Path):
    custom = onnx.load(BUNDLED)
    custom.graph.node[-1].domain = "com.microsoft"
    (tmp_path / "custom.onnx").write_bytes(custom.SerializeToString())
    (tmp_path / "damaged.onnx").write_bytes(b"no")
    (tmp_path / "pixels").write_bytes(bytes(3))
    job = [
        {"model": str(tmp_path / name), "pixels": str(tmp_path / "pixels"),
         "shape": [1, 1, 1, 3], "output": "score"}
        for name in ("custom.onnx", "damaged.onnx")
    ]  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, SCORE, "reference", tmp_path / "job.json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    version, first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert version == onnx.__version__
    assert first == {"custom": "com.microsoft"}
    assert "error" in second
