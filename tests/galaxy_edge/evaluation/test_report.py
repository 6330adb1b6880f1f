"""The output folder of ``galaxy-edge evaluate``: its files, figures and report."""

from __future__ import annotations

import errno
import io
import os
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxy_edge.evaluation import figures, report
from galaxy_edge.evaluation.bootstrap import Bootstrap
from galaxy_edge.evaluation.evaluation import evaluate
from galaxy_edge.evaluation.sources import Labelled, LabelledSource, find
from galaxy_edge.evaluation.wrong import most_wrong
from galaxy_edge.inputs.preprocessing import Stretch
from tests.galaxy_edge.evaluation.conftest import CLASSES, Cli, fill, stub
from tests.systems import posix

FILES = (
    "metrics.json", "scores.csv", "roc.png", "reliability.png", "histogram.png", "most_wrong.png",
    "risk_coverage.png", "report.html",
)  # fmt: skip


def test_the_output_folder_contains_all_files(sources: Path, cli: Cli, tmp_path: Path):
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
    # Another run replaces the files; with the same seed they are identical to the byte.
    before = {name: (output / name).read_bytes() for name in FILES}
    assert cli("evaluate", sources, "-o", output, "--bootstrap", 50, "-q")[0] == 0
    assert {name: (output / name).read_bytes() for name in FILES} == before
    assert cli("evaluate", sources, "-o", output, "--bootstrap", 50, "--seed", 1)[0] == 0
    assert (output / "metrics.json").read_bytes() != before["metrics.json"]
    assert (output / "scores.csv").read_bytes() == before["scores.csv"]


def test_a_folder_with_other_files_is_not_touched(sources: Path, cli: Cli, tmp_path: Path):
    (tmp_path / "metrics.json").write_text("mine")
    (tmp_path / "model.keras").write_text("mine, too")
    code, out, err = cli("evaluate", sources, "-o", tmp_path)
    assert (code, out) == (2, "")
    assert "model.keras" in err
    assert (tmp_path / "metrics.json").read_text() == "mine"
    assert cli("evaluate", sources, "-o", tmp_path / "metrics.json")[0] == 2


def test_a_folder_in_place_of_a_file_is_reported_before_anything_is_scored(
    sources: Path, cli: Cli, tmp_path: Path
):
    (tmp_path / "report" / "roc.png").mkdir(parents=True)
    code, out, err = cli("evaluate", sources, "-o", tmp_path / "report")
    assert (code, out) == (2, "")
    assert "roc.png" in err
    assert "Real/survey" not in err


def test_a_metrics_file_of_another_program_is_not_touched(sources: Path, cli: Cli, tmp_path: Path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "metrics.json").write_text('{"epochs": 3}')
    code, _, err = cli("evaluate", sources, "-o", tmp_path / "report")
    assert code == 2
    assert "metrics.json" in err
    assert (tmp_path / "report" / "metrics.json").read_text() == '{"epochs": 3}'


def test_figures_are_not_written_into_a_class_folder(sources: Path, cli: Cli):
    code, _, err = cli("evaluate", sources, "-o", sources / "Fake" / "report")
    assert code == 2
    assert "outside the data" in err
    assert not (sources / "Fake" / "report").exists()


@posix
def test_figures_are_not_written_into_a_linked_source(sources: Path, cli: Cli, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(sources / "Real" / "survey", elsewhere)
    (sources / "Real" / "linked").symlink_to(elsewhere, target_is_directory=True)
    code, _, err = cli("evaluate", sources, "-o", elsewhere / "report")
    assert code == 2
    assert "read as images" in err


def test_the_numbers_are_printed_even_if_the_disk_is_full(
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
    # The rest of the earlier evaluation must not look complete.
    assert not (tmp_path / "report" / "report.html").exists()


def test_escape_sequences_in_file_names_are_not_printed(sources: Path, cli: Cli, tmp_path: Path):
    (sources / "Fake" / "a\x1b]0;title\x07b").mkdir()
    code, _, err = cli("evaluate", sources, "--bootstrap", 5)
    assert code == 0
    assert "\\x1b]0;title" in err
    code, _, more = cli("evaluate", tmp_path / "no\x1bsuch")
    assert code == 2
    assert "\x1b" not in err + more


class _Page(HTMLParser):
    """The tags of a page, what it would run or load, and its text."""

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
def test_the_report_is_self_contained_and_escapes_file_names(sources: Path, cli: Cli, tmp_path):
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
    assert len(page.links) == 5
    for link, name in zip(page.links, FILES[2:7], strict=True):
        kind, content = link.split(",", 1)
        assert kind == "data:image/png;base64"
        assert b64decode(content) == (output / name).read_bytes()


def test_the_most_wrong_images_of_each_class_come_first(sources: Path, monkeypatch):
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
    worst.unlink()  # as if removed after it was scored
    most_wrong(evaluate(stub(known), "data", labelled, Bootstrap(0)), Stretch())
    fakes = sorted((known[path] for path in paths if "Fake" in path), reverse=True)
    reals = sorted(known[path] for path in paths if "Fake" not in path)
    # All nine fakes, then twelve reals.
    assert [caption.split()[0] for caption in shown] == [
        f"{score:.4f}" for score in fakes + reals[:12]
    ]
    assert shown[0].split()[1:] == ["Real", f"Fake/{worst.parent.name}", worst.name]


def test_figures_of_many_sources_show_only_the_least_accurate(tmp_path: Path):
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


def test_an_interval_is_below_its_number():
    rows = [("class", "recall", "", "AUC"), ("a", "0.9", "[0.8, 1.0]", "0.7"), ("b", "1", "", "-")]
    text = report._rows(rows)
    assert "<tr><th>class</th><th>recall</th><th>AUC</th></tr>" in text
    assert "<tr><td>a</td><td>0.9<br><small>[0.8, 1.0]</small></td><td>0.7</td></tr>" in text
    assert "<tr><td>b</td><td>1</td><td>-</td></tr>" in text
