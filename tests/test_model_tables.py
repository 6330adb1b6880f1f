"""tools/model-tables prints what `galaxy-edge evaluate` measured, for several files."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.pages import ROOT, steps


def images(folder: Path, count: int, *, real: bool) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(encoded(galaxy(number, 24, real=real)))


@pytest.mark.slow
def test_each_table_has_a_row_for_each_source(
    tmp_path: Path, typical_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """The command of MODELS.md."""
    monkeypatch.chdir(tmp_path)
    sets, dataset = tmp_path / "sets", tmp_path / "dataset"
    for place in (dataset / "Valid", sets / "Test", sets / "Processing" / "alike"):
        images(place / "Real" / "sky", 6, real=True)
        images(place / "Fake" / "gan", 5, real=False)
    images(sets / "Outliers" / "noise", 4, real=False)
    for seed in range(3):
        shutil.copy(typical_file, f"seed{seed}.onnx")
    (step,) = steps("MODELS.md", "Results")
    command = [sys.executable, ROOT / shlex.split(step.text)[0], *shlex.split(step.key[1])[1:]]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Natural" not in done.stdout
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "|" in line]
    found = json.loads((tmp_path / "tables/seed1/test/metrics.json").read_text())
    (coverage,) = [one for one in found["coverage"]["sources"] if one["source"] == "sky"]
    sky = [row for row in rows if row[0] == "sky"]
    assert len(sky) == 2
    assert sky[1][1] == "6"
    assert sky[1][-1] == f"{coverage['out_of_distribution']:.3f}"
    (noise,) = [row for row in rows if row[0] == "noise"]
    assert noise[-1] == f"{found['outliers'][0]['flagged']:.3f}"
    accuracy = json.loads((tmp_path / "tables/seed1/known/metrics.json").read_text())["overall"]
    assert ["accuracy, every image", f"{accuracy['accuracy']:.3f}"] in rows
    # Two files that agree have no range.
    assert not any(" to " in text for row in rows for text in row)
    # A second call reads the reports of the first.
    (tmp_path / "seed1.onnx").write_bytes(b"")
    assert subprocess.run([*map(str, command)], check=False, capture_output=True).returncode == 0
