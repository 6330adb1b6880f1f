"""The commands that load TensorFlow do not print its start-up lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def stderr_of(*arguments: object, level: str | None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    command = [sys.executable, "-m", "galaxy_edge", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    ).stderr


@pytest.mark.slow
@pytest.mark.parametrize("level", [None, "3", "0"])
@pytest.mark.parametrize("command", ["export", "train", "synthesize"])
def test_only_our_own_lines_are_on_stderr(command: str, level: str | None, tmp_path: Path):
    lines = stderr_of(command, tmp_path, "-o", tmp_path / "out", level=level).splitlines()
    assert not [line for line in lines if "absl" in line or "cuda" in line or "oneDNN" in line]
    assert lines[0].startswith("galaxy-edge: ")


@pytest.mark.slow
def test_a_whole_export_prints_nothing_of_tensorflow(bare: Path, tmp_path: Path):
    options = ("--image-size", 12, "--input-range", "0..1", "-q", "-o", tmp_path / "m.onnx")
    assert stderr_of("export", bare, *options, level="3") == ""


def test_what_is_held_back_is_shown_if_an_import_fails(capfd: pytest.CaptureFixture[str]):
    from galaxy_edge.cli.extras import importing

    with pytest.raises(ImportError, match="broken"), importing("export"):
        os.write(2, b"the reason\n")
        raise ImportError("broken")
    assert "the reason" in capfd.readouterr().err
