"""`train`, `export --data` and `synthesize` meet pipes and devices among the images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.galaxy_edge_train.synthesis.cutouts import reals
from tests.systems import posix

Cli = Callable[..., tuple[int, str, str]]


pytestmark = posix


def spoil(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")


@pytest.fixture
def spoiled(data: Path) -> Path:
    spoil(data / "Train" / "Fake")
    return data


def test_train_refuses_them_or_leaves_them_out(spoiled: Path, tmp_path: Path, cli: Cli):
    command = ("train", spoiled, "-o", tmp_path / "run", *TINY, "--epochs", "1", "-q")
    code, _, err = cli(*command)
    assert (code, err.count("not a regular file")) == (2, 2)
    code, _, err = cli(*command, "--skip-unreadable")
    assert (code, err.count("not a regular file")) == (0, 2)


def test_export_refuses_them(spoiled: Path, run_folder: Path, tmp_path: Path, cli: Cli):
    code, _, err = cli(
        "export", run_folder, "-o", tmp_path / "x.onnx", "--quantize", "--data", spoiled, "-q"
    )
    assert (code, err.count("not a regular file")) == (2, 2)
    assert not (tmp_path / "x.onnx").exists()


def test_synthesize_leaves_them_out_and_says_so_even_if_quiet(tmp_path: Path, cli: Cli):
    folder = reals(tmp_path / "reals", 30)
    spoil(folder)
    code, _, err = cli(
        "synthesize", folder, "-o", tmp_path / "out", "--generator", "vae", "--size", 16,
        "--epochs", 1, "--batch-size", 8, "--quiet",
    )  # fmt: skip
    assert code == 0
    assert err.splitlines() == [
        f"left out: {folder / name}: not an image: not a regular file"
        for name in ("pipe.png", "zero.png")
    ]
