"""Every Python example in docs/embedding.md, run as a separate script."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from tests.conftest import encoded, galaxy
from tests.following import commands_in, really
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
SNIPPETS = {step.section: step.text for step in steps("docs/embedding.md", language="python")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pipeline")
    (root / "cutouts").mkdir()
    for seed in range(9):
        content = encoded(galaxy(seed, 64))
        (root / f"cutouts/{seed}.png").write_bytes(content[: 300 if seed == 4 else None])
    for band in "irg":
        fits.writeto(root / f"frame-{band}.fits", galaxy(1, 200)[..., 0].astype(np.float32))
    Table({"id": [1, 2, 3], "x": [100.0, 3.0, 170.5], "y": [100.0, 190.0, 20.0]}).write(
        root / "catalogue.fits"
    )
    return root


def run(title: str, folder: Path) -> list[str]:
    script = folder / "snippet.py"
    script.write_text(SNIPPETS[title], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", script.name], cwd=folder, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_example_of_the_page_is_run():
    assert len(SNIPPETS) == len(steps("docs/embedding.md", language="python")) == 7


def test_loop(folder: Path):
    lines = run("Loop", folder)
    assert [line.split()[1] for line in lines if line.startswith("skipped")] == ["cutouts/4.png"]
    assert all(line.split()[0] in ("skipped", "real") for line in lines)


def test_live_stream(folder: Path):
    lines = [line.split()[0] for line in run("Live stream", folder)]
    # Drawn galaxies are unlike the bundled model's training images.
    odd = "out_of_distribution"
    assert lines == [odd] * 4 + ["error"] + [odd] * 4


def test_threads(folder: Path):
    lines = run("Threads", folder)
    assert [line.split()[0] for line in lines] == [f"{seed}.png" for seed in range(9)]
    assert "unreadable: damaged or truncated" in lines[4]


def test_processes(folder: Path):
    lines = run("Processes", folder)
    assert [line.split()[0] for line in lines] == [f"cutouts/{seed}.png" for seed in range(9)]


def test_pandas(folder: Path):
    assert len(run("pandas", folder)) == 9


def test_astropy(folder: Path):
    lines = run("Astropy catalogue", folder)
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    classified = Table.read(folder / "classified.fits")
    assert list(classified["id"]) == [1, 2, 3]
    assert all(0 <= score <= 1 for score in classified["score"])
    assert len(set(classified["sha256"])) == 3


def test_long_running_service(folder: Path):
    (line,) = run("Long-running services", folder)
    assert line.startswith("CPUExecutionProvider ")


def test_a_list_of_paths_that_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A function stands for inotifywait: it names files that have arrived, and ends."""
    monkeypatch.chdir(folder)
    (line,) = steps("docs/embedding.md", "Live stream", language="sh")
    (folder / "night").mkdir()
    for name in ("0.png", "1.png"):
        (folder / "night" / name).write_bytes((folder / "cutouts" / name).read_bytes())
    done = really("inotifywait() { echo night/0.png; echo night/1.png; }\n" + line.text)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(row) for row in (folder / "night.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == ["night/0.png", "night/1.png"]


def test_shards_of_several_processes(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    pq = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
    monkeypatch.chdir(folder)
    (line,) = steps("docs/embedding.md", "Processes", language="sh")
    (folder / "survey").symlink_to(folder / "cutouts")
    paths = []
    for number in range(1, 17):
        (words,) = commands_in(line.text, I=str(number))
        # The damaged image is in one of the shares.
        assert cli(*words, "--quiet")[0] in (0, 1)
        paths += pq.read_table(f"part-{number}.parquet")["path"].to_pylist()
    assert sorted(paths) == [f"survey/{seed}.png" for seed in range(9)]
