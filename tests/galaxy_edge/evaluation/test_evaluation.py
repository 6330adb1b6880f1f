"""``galaxy-edge evaluate``: what is measured, on which data, and what is printed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from galaxy_edge import versions
from galaxy_edge.errors import DatasetError
from galaxy_edge.evaluation import run
from galaxy_edge.evaluation.sources import find
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.evaluation.conftest import CLASSES, Cli, evaluated, fill, rows_of

COMMAND = [sys.executable, "-m", "galaxy_edge", "evaluate"]


def test_each_source_and_all_together_are_measured(sources: Path, cli: Cli):
    found = evaluated(cli, sources)
    listed = [(one["class"], one["source"], one["images"]) for one in found["sources"]]
    assert listed == [
        ("Fake", "blobs", 4), ("Fake", "noise", 5), ("Real", "Real", 3), ("Real", "survey", 6),
    ]  # fmt: skip
    assert found["overall"]["images"] == 18
    assert {name: sum(row.values()) for name, row in found["overall"]["confusion"].items()} == {
        "Fake": 9, "Real": 9,
    }  # fmt: skip
    assert found["data"] == {
        "folder": str(sources), "split": None, "images": 18, "scored": 18, "unreadable": [],
    }  # fmt: skip


def test_scores_are_the_same_as_from_predict(sources: Path, cli: Cli, tmp_path: Path):
    output = tmp_path / "report"
    found = evaluated(cli, sources, "-o", output)
    rows = rows_of(output)
    _, out, _ = cli("predict", sources, "-r", "--format", "jsonl", "-q")
    predicted = {row["path"]: row for row in map(json.loads, out.splitlines())}
    assert {row["path"]: (float(row["score"]), row["label"]) for row in rows} == {
        path: (row["score"], row["label"] or "") for path, row in predicted.items()
    }
    survey = [row for row in rows if (row["class"], row["source"]) == ("Real", "survey")]
    (measured,) = (one for one in found["sources"] if one["source"] == "survey")
    assert measured["mean_score"] == pytest.approx(
        sum(float(row["score"]) for row in survey) / len(survey)
    )
    right = sum(float(row["score"]) > found["model"]["threshold"] for row in survey)
    assert measured["accuracy"] == measured["positive_share"] == right / len(survey)
    (row,) = [row for row in predicted.values() if row["path"] == rows[0]["path"]]
    assert found["model"] == {
        "name": row["model"], "sha256": row["model_sha256"], "classes": ["Fake", "Real"],
        "threshold": row["threshold"], "provider": row["provider"],
    }  # fmt: skip


def test_any_build_of_onnxruntime_is_accepted(
    sources: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2.3" if name == "onnxruntime-gpu" else known(name)

    for module in (versions, run):
        monkeypatch.setattr(module, "version", version)
    found = evaluated(cli, sources)
    assert found["versions"]["onnxruntime-gpu"] == "1.2.3"
    assert "onnxruntime" not in found["versions"]


def test_without_one_class_the_measures_that_need_both_are_none(sources: Path, cli: Cli, tmp_path):
    for path in sorted((sources / "Fake").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (sources / "Fake").rmdir()
    found = evaluated(cli, sources, "-o", tmp_path / "report")
    whole = found["overall"]
    for name in ("auc", "auc_interval", "balanced_accuracy", "expected_calibration_error"):
        assert whole[name] is None
    assert whole["recall"]["Fake"] is None
    assert whole["recall"]["Real"] == whole["accuracy"]
    assert [one["auc"] for one in found["sources"]] == [None, None]
    assert found["reliability"] == []
    code, out, _ = cli("evaluate", sources)
    assert code == 0
    assert re.search(r"^AUC +–$", out, re.MULTILINE)  # noqa: RUF001


def test_unreadable_images_are_listed_and_the_rest_is_measured(sources: Path, cli: Cli, tmp_path):
    (sources / "Real" / "survey" / "cut.png").write_bytes(encoded(galaxy(1))[:200])
    (sources / "Fake" / "gone").mkdir()
    (sources / "Fake" / "gone" / "text.png").write_text("hello")
    output = tmp_path / "report"
    code, out, err = cli("evaluate", sources, "-o", output, "--format", "json", "-q")
    assert code == 1
    found = json.loads(out)
    assert found["overall"]["images"] == 18
    failed = {Path(one["path"]).name: one["error"] for one in found["data"]["unreadable"]}
    assert set(failed) == {"cut.png", "text.png"}
    assert failed["cut.png"].startswith("damaged or truncated")
    by_source = {one["source"]: one for one in found["sources"]}
    assert (by_source["survey"]["images"], by_source["survey"]["unreadable"]) == (6, 1)
    assert (by_source["gone"]["images"], by_source["gone"]["accuracy"]) == (0, None)
    assert "cut.png: damaged" in err
    assert "cut.png" in (output / "report.html").read_text()
    rows = {Path(row["path"]).name: row for row in rows_of(output)}
    assert (rows["cut.png"]["score"], rows["cut.png"]["label"]) == ("", "")
    assert rows["cut.png"]["error"] == failed["cut.png"]


def test_without_any_readable_image_the_report_is_still_written(tmp_path: Path, cli: Cli):
    (tmp_path / "data" / "Real").mkdir(parents=True)
    (tmp_path / "data" / "Real" / "text.png").write_text("hello")
    code, out, _ = cli("evaluate", tmp_path / "data", "-o", tmp_path / "r", "--format", "json")
    assert code == 1
    assert json.loads(out)["overall"]["accuracy"] is None
    assert (tmp_path / "r" / "most_wrong.png").exists()


def test_only_json_is_written_to_a_pipe(sources: Path, tmp_path: Path):
    (sources / "Fake" / "noise" / "text.png").write_text("hello")
    done = subprocess.run(
        [*COMMAND, sources, "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["data"]["images"] == 19
    assert "text.png" in done.stderr


def test_the_table_is_utf_8_in_any_locale(sources: Path):
    done = subprocess.run(
        [*COMMAND, sources / "Real" / ".."], capture_output=True, check=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    text = done.stdout.decode("utf-8")
    assert done.stderr == b""
    for words in ("balanced accuracy", "called Real", "Fake/noise", "Real/survey"):
        assert words in text


def test_a_split_can_be_chosen(data: Path, cli: Cli):
    assert evaluated(cli, data)["data"] | {"folder": ""} == {
        "folder": "", "split": "Valid", "images": 16, "scored": 16, "unreadable": [],
    }  # fmt: skip
    assert evaluated(cli, data, "--split", "train")["data"]["images"] == 24
    assert evaluated(cli, data / "Valid")["data"]["split"] is None
    code, _, err = cli("evaluate", data, "--split", "Test")
    assert code == 2
    assert "Test" in err
    (data / "Valid").rename(data / "test")
    code, _, err = cli("evaluate", data)
    assert code == 2
    assert "--split Train or Test" in err
    assert evaluated(cli, data, "--split", "Test")["data"]["split"] == "Test"


def test_names_of_class_folders_match_in_any_case(sources: Path):
    (sources / "Real").rename(sources / "rEAL")
    assert {source.label for source in find(sources, CLASSES).sources} == {0, 1}


def test_images_in_nested_folders_belong_to_the_top_source(tmp_path: Path):
    fill(tmp_path / "Fake" / "gan" / "run1" / "step2", 2, real=False)
    fill(tmp_path / "Fake" / ".hidden", 2, real=False)
    (tmp_path / "Fake" / "empty").mkdir()
    found = find(tmp_path, CLASSES)
    (source,) = found.sources
    assert (source.name, len(source.images)) == ("gan", 2)
    (note,) = found.notes
    assert "empty" in note


def test_three_band_files_are_one_image_of_one_source(tmp_path: Path):
    for band in "irg":
        for path in (f"Real/x-{band}.fits", f"Real/{band}/y.fits", f"Real/deep/z_{band}.fits"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
    found = find(tmp_path, CLASSES, bands=("i", "r", "g"))
    assert {source.name: len(source.images) for source in found.sources} == {"Real": 2, "deep": 1}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ((), "neither class folders"),
        (("other",), "neither class folders"),
        (("Fake", "Real"), "contains no images"),
        (("Valid",), r"contains no class folder \(Fake or Real, the classes of the model\)"),
        (("Fake", "fake"), "keep one"),
        (("Fake", "fake", "Valid"), "keep one"),
    ],
)
def test_unusable_data_is_an_error(folders: tuple[str, ...], words: str, tmp_path: Path):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=words):
        find(tmp_path, CLASSES)


def test_wrong_usage_is_reported_before_anything_is_scored(sources: Path, cli: Cli, tmp_path: Path):
    for arguments, words in (
        ((tmp_path / "absent",), "this folder does not exist"),
        ((sources, "--bootstrap", "-1"), "--bootstrap"),
        ((sources, "--seed", "-1"), "seed"),
        ((sources, "--threshold", "2"), "threshold"),
        ((sources, "--split", "Half"), "Half"),
        ((sources / "Fake" / "noise" / "00.png",), "this folder does not exist"),
    ):
        code, out, err = cli("evaluate", *arguments)
        assert (code, out) == (2, "")
        assert words in err
        assert "Traceback" not in err


def test_the_threshold_changes_verdicts_but_not_the_ranking(sources: Path, cli: Cli):
    half, none = evaluated(cli, sources), evaluated(cli, sources, "--threshold", 1)
    assert none["overall"]["recall"] == {"Fake": 1.0, "Real": 0.0}
    assert none["overall"]["precision"]["Real"] is None
    assert none["overall"]["auc"] == half["overall"]["auc"]
    assert none["model"]["threshold"] == 1


def test_the_command_needs_its_extra_but_not_keras(sources: Path, tmp_path: Path):
    blocker = tmp_path / "sitecustomize.py"
    for absent, code in (("keras", 0), ("sklearn", 2), ("matplotlib", 2)):
        blocker.write_text(f"import sys\nsys.modules[{absent!r}] = None\n")
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [*COMMAND, sources, "--bootstrap", "10"], capture_output=True, text=True, check=False,
            env=os.environ | {"PYTHONPATH": path, "KERAS_BACKEND": "rubbish"},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert ("galaxy-edge[evaluate]" in done.stderr) == (code == 2)
        assert "Traceback" not in done.stderr
