"""``galaxy-edge evaluate``, from labelled folders to numbers, figures and a report."""

from __future__ import annotations

import csv
import errno
import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import doctor
from galaxy_edge.errors import DatasetError
from galaxy_edge.evaluation import evaluation, figures
from galaxy_edge.evaluation.bootstrap import Bootstrap
from galaxy_edge.evaluation.evaluation import evaluate
from galaxy_edge.evaluation.folder import FILES
from galaxy_edge.evaluation.sources import Labelled, LabelledSource, find
from galaxy_edge.evaluation.wrong import most_wrong
from galaxy_edge.inputs.preprocessing import Stretch
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.evaluation.test_measures import stub

Cli = Callable[..., tuple[int, str, str]]
COMMAND = [sys.executable, "-m", "galaxy_edge", "evaluate"]
CLASSES = ("Fake", "Real")


def fill(folder: Path, count: int, *, real: bool, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = galaxy(seed + number, 64, real=real)
        (folder / f"{number:02}.png").write_bytes(encoded(image))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Two kinds of fakes, and two of reals, one of them right in the class folder."""
    root = tmp_path / "sources"
    fill(root / "Fake" / "noise", 5, real=False)
    fill(root / "Fake" / "blobs", 4, real=True, seed=50)
    fill(root / "Real", 3, real=True, seed=100)
    fill(root / "Real" / "survey", 6, real=True, seed=150)
    return root


def evaluated(cli: Cli, *arguments: object) -> dict:
    code, out, _ = cli("evaluate", *arguments, "--format", "json", "-q", "--bootstrap", 50)
    assert code == 0
    return json.loads(out)


def rows_of(report: Path) -> list[dict[str, str]]:
    with (report / "scores.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_sources_apart_and_together(sources: Path, cli: Cli):
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


def test_the_scores_are_those_of_predict(sources: Path, cli: Cli, tmp_path: Path):
    output = tmp_path / "report"
    found = evaluated(cli, sources, "-o", output)
    rows = rows_of(output)
    _, out, _ = cli("predict", sources, "-r", "--format", "jsonl", "-q")
    predicted = {row["path"]: row for row in map(json.loads, out.splitlines())}
    assert {row["path"]: (float(row["score"]), row["label"]) for row in rows} == {
        path: (row["score"], row["label"]) for path, row in predicted.items()
    }
    survey = [row for row in rows if (row["class"], row["source"]) == ("Real", "survey")]
    (measured,) = (one for one in found["sources"] if one["source"] == "survey")
    assert measured["mean_score"] == pytest.approx(
        sum(float(row["score"]) for row in survey) / len(survey)
    )
    right = sum(row["label"] == "Real" for row in survey)
    assert measured["accuracy"] == measured["positive_share"] == right / len(survey)
    (row,) = [row for row in predicted.values() if row["path"] == rows[0]["path"]]
    assert found["model"] == {
        "name": row["model"], "sha256": row["model_sha256"], "classes": ["Fake", "Real"],
        "threshold": row["threshold"], "provider": row["provider"],
    }  # fmt: skip


def test_the_folder_of_a_report(sources: Path, cli: Cli, tmp_path: Path):
    output = tmp_path / "deep" / "report"
    code, out, err = cli("evaluate", sources, "-o", output, "--bootstrap", 50)
    assert (code, out) == (0, f"{output}\n")
    assert "Real/survey" in err
    assert {path.name for path in output.iterdir()} == set(FILES)
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(output / name) as image:
                assert image.format == "PNG"
                assert min(image.size) > 300
    # It is replaced by another, and given the same seed this is the same to the byte.
    before = {name: (output / name).read_bytes() for name in FILES}
    assert cli("evaluate", sources, "-o", output, "--bootstrap", 50, "-q")[0] == 0
    assert {name: (output / name).read_bytes() for name in FILES} == before
    assert cli("evaluate", sources, "-o", output, "--bootstrap", 50, "--seed", 1)[0] == 0
    assert (output / "metrics.json").read_bytes() != before["metrics.json"]
    assert (output / "scores.csv").read_bytes() == before["scores.csv"]


def test_a_folder_with_anything_else_is_left_alone(sources: Path, cli: Cli, tmp_path: Path):
    (tmp_path / "metrics.json").write_text("mine")
    (tmp_path / "model.keras").write_text("mine, too")
    code, out, err = cli("evaluate", sources, "-o", tmp_path)
    assert (code, out) == (2, "")
    assert "model.keras" in err
    assert (tmp_path / "metrics.json").read_text() == "mine"
    assert cli("evaluate", sources, "-o", tmp_path / "metrics.json")[0] == 2


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_scored(
    sources: Path, cli: Cli, tmp_path: Path
):
    (tmp_path / "report" / "roc.png").mkdir(parents=True)
    code, out, err = cli("evaluate", sources, "-o", tmp_path / "report")
    assert (code, out) == (2, "")
    assert "roc.png" in err
    assert "Real/survey" not in err


def test_a_file_of_another_program_is_left_alone(sources: Path, cli: Cli, tmp_path: Path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "metrics.json").write_text('{"epochs": 3}')
    code, _, err = cli("evaluate", sources, "-o", tmp_path / "report")
    assert code == 2
    assert "metrics.json" in err
    assert (tmp_path / "report" / "metrics.json").read_text() == '{"epochs": 3}'


def test_figures_never_become_images_behind_a_link(sources: Path, cli: Cli, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(sources / "Real" / "survey", elsewhere)
    (sources / "Real" / "linked").symlink_to(elsewhere, target_is_directory=True)
    code, _, err = cli("evaluate", sources, "-o", elsewhere / "report")
    assert code == 2
    assert "taken for images" in err


def test_a_full_disk_does_not_take_the_numbers_with_it(
    sources: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert cli("evaluate", sources, "-o", tmp_path / "report", "--bootstrap", 5)[0] == 0

    def full(self: Path, content: bytes):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    code, out, err = cli("evaluate", sources, "-o", tmp_path / "report", "--bootstrap", 5)
    assert code == 2
    assert "Real/survey" in err
    assert "No space left" in err
    assert out == ""
    # What is left of the earlier evaluation does not pass for a whole one.
    assert not (tmp_path / "report" / "report.html").exists()


def test_any_build_of_onnxruntime_will_do(sources: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2.3" if name == "onnxruntime-gpu" else known(name)

    for module in (doctor, evaluation):
        monkeypatch.setattr(module, "version", version)
    found = evaluated(cli, sources)
    assert found["versions"]["onnxruntime-gpu"] == "1.2.3"
    assert "onnxruntime" not in found["versions"]


def test_names_on_disk_do_not_speak_to_the_terminal(sources: Path, cli: Cli, tmp_path: Path):
    (sources / "Fake" / "a\x1b]0;title\x07b").mkdir()
    code, _, err = cli("evaluate", sources, "--bootstrap", 5)
    assert code == 0
    assert "\\x1b]0;title" in err
    code, _, more = cli("evaluate", tmp_path / "no\x1bsuch")
    assert code == 2
    assert "\x1b" not in err + more


def test_figures_never_become_images_of_a_class(sources: Path, cli: Cli):
    code, _, err = cli("evaluate", sources, "-o", sources / "Fake" / "report")
    assert code == 2
    assert "elsewhere" in err
    assert not (sources / "Fake" / "report").exists()


def test_a_class_that_is_missing_leaves_out_what_needs_both(sources: Path, cli: Cli, tmp_path):
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


def test_unreadable_images_are_told_and_the_rest_is_measured(sources: Path, cli: Cli, tmp_path):
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


def test_nothing_readable_is_no_bug(tmp_path: Path, cli: Cli):
    (tmp_path / "data" / "Real").mkdir(parents=True)
    (tmp_path / "data" / "Real" / "text.png").write_text("hello")
    code, out, _ = cli("evaluate", tmp_path / "data", "-o", tmp_path / "r", "--format", "json")
    assert code == 1
    assert json.loads(out)["overall"]["accuracy"] is None
    assert (tmp_path / "r" / "most_wrong.png").exists()


class _Page(HTMLParser):
    """What a page would run or fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [
            value for name, value in attrs if name in ("src", "href") or name[:2] == "on"
        ]

    def handle_data(self, data):
        self.text += data


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_the_report_is_one_file_and_names_in_it_do_nothing(sources: Path, cli: Cli, tmp_path):
    hostile = "<script>alert(1)<"
    fill(sources / "Real" / "$\\frac$ & <b>x", 2, real=True)
    fill(sources / "Real" / os.fsdecode(b"\xff \xe6\x98\x9f"), 2, real=True)
    (sources / "Fake" / "noise" / f"{hostile}\n.png").write_text("hello")
    output = tmp_path / "report"
    assert cli("evaluate", sources, "-o", output, "--bootstrap", 10)[0] == 1
    page = _Page()
    page.feed((output / "report.html").read_text())
    assert hostile in page.text
    assert "$\\frac$ & <b>x" in page.text
    assert not {"script", "b", "link", "iframe", "object"} & set(page.tags)
    assert len(page.links) == 4
    for link, name in zip(page.links, FILES[2:6], strict=True):
        kind, content = link.split(",", 1)
        assert kind == "data:image/png;base64"
        assert b64decode(content) == (output / name).read_bytes()


def test_json_is_clean_in_a_pipe(sources: Path, tmp_path: Path):
    (sources / "Fake" / "noise" / "text.png").write_text("hello")
    done = subprocess.run(
        [*COMMAND, sources, "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["data"]["images"] == 19
    assert "text.png" in done.stderr


def test_the_table_whatever_the_locale(sources: Path):
    done = subprocess.run(
        [*COMMAND, sources / "Real" / ".."], capture_output=True, check=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    text = done.stdout.decode("utf-8")
    assert done.stderr == b""
    for words in ("balanced accuracy", "called Real", "Fake/noise", "Real/survey"):
        assert words in text


def test_splits(data: Path, cli: Cli):
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


def test_images_deep_down_belong_to_the_source_above_them(tmp_path: Path):
    fill(tmp_path / "Fake" / "gan" / "run1" / "step2", 2, real=False)
    fill(tmp_path / "Fake" / ".hidden", 2, real=False)
    (tmp_path / "Fake" / "empty").mkdir()
    found = find(tmp_path, CLASSES)
    (source,) = found.sources
    assert (source.name, len(source.images)) == ("gan", 2)
    (note,) = found.notes
    assert "empty" in note


def test_band_files_are_one_image_of_one_source(tmp_path: Path):
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
        (("Fake", "Real"), "holds no images"),
        (("Valid",), "no folder Fake and none Real"),
        (("Fake", "fake"), "keep one"),
        (("Fake", "fake", "Valid"), "keep one"),
    ],
)
def test_data_that_cannot_be_used(folders: tuple[str, ...], words: str, tmp_path: Path):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=words):
        find(tmp_path, CLASSES)


def test_wrong_usage_is_told_before_anything_is_scored(sources: Path, cli: Cli, tmp_path: Path):
    for arguments, words in (
        ((tmp_path / "absent",), "no such folder"),
        ((sources, "--bootstrap", "-1"), "--bootstrap"),
        ((sources, "--seed", "-1"), "seed"),
        ((sources, "--threshold", "2"), "threshold"),
        ((sources, "--split", "Half"), "Half"),
        ((sources / "Fake" / "noise" / "00.png",), "no such folder"),
    ):
        code, out, err = cli("evaluate", *arguments)
        assert (code, out) == (2, "")
        assert words in err
        assert "Traceback" not in err


def test_the_threshold_moves_verdicts_not_the_ranking(sources: Path, cli: Cli):
    half, none = evaluated(cli, sources), evaluated(cli, sources, "--threshold", 1)
    assert none["overall"]["recall"] == {"Fake": 1.0, "Real": 0.0}
    assert none["overall"]["precision"]["Real"] is None
    assert none["overall"]["auc"] == half["overall"]["auc"]
    assert none["model"]["threshold"] == 1


def test_the_most_wrong_of_each_class_come_first(sources: Path, monkeypatch):
    shown = []

    def sheet(images, captions, columns):
        shown.extend(captions)
        return Image.new("RGB", (1, 1))

    monkeypatch.setattr("galaxy_edge.evaluation.wrong.contact_sheet", sheet)
    fill(sources / "Real" / "survey", 20, real=True)
    labelled = find(sources, CLASSES)
    paths = [path for source in labelled.sources for path in source.images]
    draw = np.random.default_rng(0)
    known = {path: draw.random() for path in paths}
    worst = Path(max((path for path in paths if "Fake" in path), key=known.get))
    worst.unlink()  # after it was scored
    most_wrong(evaluate(stub(known), "data", labelled, Bootstrap(0)), Stretch())
    fakes = sorted((known[path] for path in paths if "Fake" in path), reverse=True)
    reals = sorted(known[path] for path in paths if "Fake" not in path)
    # All nine fakes, then twelve reals.
    assert [caption.split()[0] for caption in shown] == [
        f"{score:.4f}" for score in fakes + reals[:12]
    ]
    assert shown[0].split()[1:] == ["Real", f"Fake/{worst.parent.name}", worst.name]


def test_figures_of_very_many_sources_show_the_worst(tmp_path: Path):
    draw = np.random.default_rng(0)
    known, found = {}, []
    for number in range(30):
        paths = tuple(f"{number}/{place}" for place in range(4))
        known |= {path: draw.uniform(number % 2, 1) for path in paths}
        found.append(LabelledSource(f"n{number}", number // 15, paths))
    known["0/0"] = None
    evaluation = evaluate(stub(known), "data", Labelled((), None, tuple(found), ()), Bootstrap(0))
    for figure in (figures.roc, figures.histogram):
        with Image.open(io.BytesIO(figure(evaluation))) as image:
            assert image.height < 2500


def test_it_needs_its_extra_and_no_keras(sources: Path, tmp_path: Path):
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


def test_a_contact_sheet_of_any_images():
    from galaxy_edge.drawing.sheet import contact_sheet

    images = [
        Image.new("RGB", (10, 30), "red"), Image.new("L", (400, 100), 255),
        Image.new("RGBA", (1, 1)), Image.new("RGB", (2000, 1), "blue"),
    ]  # fmt: skip
    sheet = contact_sheet(images, ["x" * 300, "b\nbelow", "a", "★ é"], columns=3, tile=60)
    assert sheet.mode == "RGB"
    assert sheet.width == 3 * 68 + 8
    assert sheet.height == 2 * (68 + 2 * 15) + 8
    # The narrow red one stands in the middle of its tile.
    assert sheet.getpixel((8 + 30, 8 + 30)) == (255, 0, 0)
    assert sheet.getpixel((8 + 2, 8 + 30)) == (255, 255, 255)
    # Nothing is written into the gap between two tiles.
    gap = sheet.crop((8 + 60, 0, 8 + 68, sheet.height))
    assert gap.getextrema() == ((255, 255),) * 3
    with pytest.raises(ValueError, match="zip"):
        contact_sheet(images, ["a"])
    assert contact_sheet([], []).size == (166, 166)
