"""Surveys that are killed at random, and two at once: every row comes exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.galaxy_edge.survey.sources import TABLES, rows_in, rows_of, tables
from tests.systems import posix

pytestmark = posix


def start(source: Path, destination: Path, model: Path) -> subprocess.Popen[str]:
    words = ["survey", source, *TABLES, "-m", model, "-o", destination, "--threads", "1"]
    command = [sys.executable, "-m", "galaxy_edge", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(destination: Path) -> int:
    return len([*(destination / "ledger").glob("[!.]*")])


def expected(source: Path, folder: Path, model: Path) -> list[dict]:
    words = ["predict", source, *TABLES, "-m", model, "-o", folder / "rows.parquet"]
    command = [sys.executable, "-m", "galaxy_edge", *map(str, words)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1
    return rows_of(folder / "rows.parquet")


def test_kills_at_random(tmp_path: Path, model_file: Path):
    source = tables(tmp_path / "tables", 24, 12)
    destination = tmp_path / "survey"
    chance = random.Random(0)  # noqa: S311 - the same places in each run
    kills = 0
    while finished(destination) < 20 and kills < 6:
        wanted = finished(destination) + chance.randint(0, 4)
        process = start(source, destination, model_file)
        while process.poll() is None and finished(destination) <= wanted:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 3
    process = start(source, destination, model_file)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "288 images: " in err
    assert finished(destination) == 24
    assert rows_in(destination) == expected(source, tmp_path, model_file)


def test_two_runs_at_once_divide_the_work(tmp_path: Path, model_file: Path):
    source = tables(tmp_path / "tables", 24, 12)
    destination = tmp_path / "survey"
    processes = [start(source, destination, model_file) for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert (process.returncode, "288 images: " in err) == (1, True), err
    assert rows_in(destination) == expected(source, tmp_path, model_file)
    assert [*destination.rglob(".*")] == []


def test_sigterm_leaves_finished_parts_only(tmp_path: Path, model_file: Path):
    source = tables(tmp_path / "tables", 24, 12)
    destination = tmp_path / "survey"
    process = start(source, destination, model_file)
    while process.poll() is None and finished(destination) < 2:
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert len(rows_in(destination)) == 12 * len([*(destination / "rows").iterdir()]) < 288
    assert [*destination.rglob(".*")] == []
    assert os.listdir(destination)
