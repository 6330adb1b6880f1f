"""tools/leave-one-out: what each network is trained without, its table row, and resuming."""

from __future__ import annotations

import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.pages import steps

TOOL = Path(__file__).parents[1] / "tools" / "leave-one-out"
OPTIONS = ("--image-size", "16", "--batch-size", "16", "--epochs", "1", "--augment", "none")


def leave_one_out(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def images(folder: Path, count: int, *, real: bool) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        # Each image gets its own seed, because no image may be in two splits or classes.
        seed = zlib.crc32(f"{folder.relative_to(folder.parents[3])}/{number}".encode())
        (folder / f"{number}.png").write_bytes(encoded(galaxy(seed, real=real)))


def dataset(root: Path, families: tuple[str, ...], sources: tuple[str, ...]) -> Path:
    for split in ("Train", "Valid"):
        for source in sources:
            images(root / split / "Real" / source, 24, real=True)
            for family in families:
                images(root / split / "Fake" / family / source, 12, real=False)
    return root


@pytest.mark.slow
def test_each_family_is_left_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command of MODELS.md."""
    monkeypatch.chdir(tmp_path)
    dataset(tmp_path / "dataset", ("vae", "gan", "reconstruction"), ("sky",))
    images(tmp_path / "sets" / "Test" / "Real" / "galaxyzoo_sdss", 5, real=True)
    (step,) = steps("MODELS.md", "Leave-one-out tests")
    tool, *words = shlex.split(step.text)
    assert tool == "tools/leave-one-out"
    arguments = (*words, *OPTIONS)
    first = leave_one_out(*arguments)
    assert first.returncode == 0, first.stderr
    rows = [line.split(" | ") for line in first.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["| left out", "| nothing", "| gan", "| reconstruction, vae"]
    assert rows[0][2:] == ["gan", "reconstruction", "vae", "sky", "galaxyzoo_sdss |"]
    # Bold marks what a network was not trained on: the left-out family and the unseen reals.
    bold = [[cell.startswith("**") for cell in row[2:]] for row in rows[1:]]
    assert bold == [
        [False, False, False, False, True],
        [True, False, False, False, True],
        [False, True, True, False, True],
    ]  # fmt: skip
    without_gan = tmp_path / "loo" / "data" / "gan" / "Train" / "Fake"
    assert {path.name for path in without_gan.iterdir()} == {"reconstruction", "vae"}
    without_both = tmp_path / "loo" / "data" / "reconstruction+vae" / "Train" / "Fake"
    assert [path.name for path in without_both.iterdir()] == ["gan"]
    # A second call finds all steps done. A call with different options is refused.
    assert leave_one_out(*arguments).stdout == first.stdout
    assert leave_one_out(*arguments, "--seed", 3).returncode == 2


def test_unusable_folders_are_refused(tmp_path: Path):
    empty = leave_one_out(tmp_path, "-o", tmp_path / "loo")
    assert empty.returncode == 2
    assert "create DATASET with `galaxy-edge synthesize`" in empty.stderr
    data = dataset(tmp_path / "data", ("vae",), ("sky",))
    foreign = leave_one_out(data, "-o", data)
    assert foreign.returncode == 2
    assert "was not made by this tool" in foreign.stderr
    alike = leave_one_out(data, "-o", tmp_path / "loo", "--unseen", tmp_path / "elsewhere" / "sky")
    assert alike.returncode == 2
    assert "have the same name" in alike.stderr
