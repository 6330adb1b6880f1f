"""The profile of a model file: tools/profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "galaxy_edge" / "models" / "documented.onnx"
TOOL = ROOT / "tools" / "profile"


def profile(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, TOOL, *map(str, arguments)], check=False, capture_output=True, text=True
    )


def test_the_table_shows_the_operators_that_run_and_their_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    found = profile(BUNDLED, "--batch", 2)
    assert (found.returncode, found.stderr) == (0, "")
    _, *rows, last = [line.split() for line in found.stdout.splitlines()]
    assert {"QLinearConv", "NhwcMaxPool", "QGemm"} <= {row[-4] for row in rows}
    assert sum(float(row[-1].rstrip("%")) for row in rows) == pytest.approx(100, abs=1)
    assert sum(float(row[-3]) for row in rows) == pytest.approx(float(last[1]), abs=len(rows))
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_are_refused_without_a_traceback(tmp_path: Path):
    (tmp_path / "no.onnx").write_bytes(b"no")
    for arguments in ((tmp_path / "absent.onnx",), (tmp_path / "no.onnx",), (BUNDLED, "--batch=0")):
        found = profile(*arguments)
        assert (found.returncode, found.stdout) == (2, "")
        assert "Traceback" not in found.stderr
