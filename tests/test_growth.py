"""The tables and the figure of how cost grows: tools/growth.

growth.json is the recording of a short run, reduced to the fields that the tool reads, with the
benchmarks in reverse order.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.pages import ROOT, steps

TOOL = ROOT / "tools" / "growth"
RECORDED = ROOT / "tests" / "growth.json"


def growth(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, TOOL, *map(str, arguments)], check=False, capture_output=True, text=True
    )


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with a short page that has the two markers of the real page."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    begin, end = (line for line in page.splitlines() if line.startswith("<!--"))
    text = f"before\n{begin}\nold\n{end}\nafter\n"
    (tmp_path / "performance.md").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_command_of_the_page(docs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(docs.parent)
    docs.rename("docs")
    shutil.copy(RECORDED, "growth.json")
    (step,) = steps("docs/performance.md", "Growth of cost")
    tool, *words = step.text.split()
    assert (tool, growth(*words).returncode) == ("tools/growth", 0)
    assert Path("docs/growth.svg").exists()


def test_tables_go_between_the_markers_and_the_figure_next_to_the_page(docs: Path):
    found = growth(RECORDED, "-o", docs)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    text = (docs / "performance.md").read_text(encoding="utf-8")
    assert text.startswith("before\n<!--")
    assert text.endswith("-->\nafter\n")
    assert "old" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    # The recording has 2.04197 s for 1,000 images.
    assert "| 1,000 | 2.04 | 490 | 139 |" in rows
    assert rows.index("| 1 | 0.631 | 0.631 |") < rows.index("| 256 | 159 | 0.621 |")
    assert "Intel(R) Xeon(R) Processor, 2 threads" in text
    assert "onnxruntime 1.32.0" in text
    assert "commit 025383c with changes, 2026-11-23" in text
    picture = (docs / "growth.svg").read_bytes()
    assert len(picture) < 100_000
    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own file
    assert growth(RECORDED, "-o", docs).returncode == 0
    assert (docs / "performance.md").read_text(encoding="utf-8") == text
    assert (docs / "growth.svg").read_bytes() == picture


def without_a_group(recorded: dict[str, Any]) -> None:
    recorded["benchmarks"] = [each for each in recorded["benchmarks"] if each["group"] != "threads"]


def with_a_zero(recorded: dict[str, Any]) -> None:
    recorded["benchmarks"][0]["stats"]["median"] = 0


def with_words(recorded: dict[str, Any]) -> None:
    recorded["benchmarks"][0]["stats"]["median"] = "soon"


def without_the_machine(recorded: dict[str, Any]) -> None:
    del recorded["machine_info"]["galaxy_edge"]


def without_parameters(recorded: dict[str, Any]) -> None:
    recorded["benchmarks"][0]["params"] = None


@pytest.mark.parametrize(
    "damage", [without_a_group, with_a_zero, with_words, without_the_machine, without_parameters]
)
def test_a_damaged_recording_is_refused(
    docs: Path, tmp_path: Path, damage: Callable[[dict[str, Any]], None]
):
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    damage(recorded)
    (tmp_path / "damaged.json").write_text(json.dumps(recorded), encoding="utf-8")
    assert_refused(docs, tmp_path / "damaged.json")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"{}", None])
def test_a_file_that_is_not_a_recording_is_refused(
    docs: Path, tmp_path: Path, content: bytes | None
):
    if content is not None:
        (tmp_path / "rubbish.json").write_bytes(content)
    assert_refused(docs, tmp_path / "rubbish.json")


def test_a_page_without_the_markers_is_refused(tmp_path: Path):
    (tmp_path / "performance.md").write_text("before\nafter\n", encoding="utf-8")
    assert_refused(tmp_path, RECORDED)
    assert_refused(tmp_path / "absent", RECORDED)


def assert_refused(docs: Path, path: Path) -> None:
    page = docs / "performance.md"
    text = page.read_bytes() if page.exists() else None
    found = growth(path, "-o", docs)
    assert (found.returncode, found.stdout) == (2, "")
    assert "Traceback" not in found.stderr
    assert str(path) in found.stderr or str(page) in found.stderr
    assert (page.read_bytes() if page.exists() else None) == text
    assert not (docs / "growth.svg").exists()
