"""Surveys on Ray: the rows are those of `predict`, also if a worker or the driver is killed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.galaxy_edge.survey.sources import TABLES, rows_in, rows_of, tables
from tests.systems import linux

pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = linux
PAGE = (Path(__file__).parents[3] / "docs" / "survey.md").read_text(encoding="utf-8")
PARTS, ROWS = 30, 8


def start(source: Path, destination: Path, model: Path) -> subprocess.Popen[str]:
    # Relative paths, as users write them.
    (line,) = re.findall(r"^galaxy-edge (survey .* --engine ray)$", PAGE, re.MULTILINE)
    words = [*shlex.split(line), "--keep", "ra", "-m", model]
    assert (source.name, destination.name) == (Path(words[1]).name, Path(words[7]).name)
    return subprocess.Popen(
        [sys.executable, "-m", "galaxy_edge", *map(str, words)],
        cwd=source.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"RAY_DISABLE_IMPORT_WARNING": "1", "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip


def finished(destination: Path) -> int:
    return len([*(destination / "ledger").glob("[!.]*")])


def wait_for(destination: Path, parts: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and finished(destination) < parts:
        time.sleep(0.01)


def workers(driver: int) -> list[int]:
    """The processes of Ray's workers below a driver."""
    parents: dict[int, int] = {}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if (path / "cmdline").read_bytes().startswith((b"ray::_work", b"ray::IDLE")):
                found.append(int(path.name))
        except OSError:  # it has ended
            continue

    def is_below(one: int) -> bool:
        return one == driver or (one in parents and is_below(parents[one]))

    return [one for one in found if is_below(one)]


def test_a_worker_and_the_driver_are_killed(tmp_path: Path, model_file: Path):
    source = tables(tmp_path / "cutouts", PARTS, ROWS)
    destination = tmp_path / "verdicts"
    driver = start(source, destination, model_file)
    wait_for(destination, 2, driver)
    driver.kill()
    driver.communicate()
    assert driver.returncode == -signal.SIGKILL
    before = finished(destination)
    assert 2 <= before < PARTS
    driver = start(source, destination, model_file)
    wait_for(destination, before + 2, driver)
    killed = workers(driver.pid)
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    _, err = driver.communicate(timeout=300)
    assert driver.returncode == 1, err
    assert f"{PARTS * ROWS} images: " in err
    words = ["predict", source.name, *TABLES, "-m", model_file, "-q", "-o", "rows.parquet"]
    command = [sys.executable, "-m", "galaxy_edge", *map(str, words)]
    assert subprocess.run(command, check=False, cwd=tmp_path).returncode == 1
    assert rows_in(destination) == rows_of(tmp_path / "rows.parquet")


def test_an_error_of_a_task_has_no_traceback(tmp_path: Path, model_file: Path):
    tables(tmp_path / "tables", 1, 3)
    command = [
        sys.executable,
        "-m",
        "galaxy_edge",
        "survey",
        "tables/000.parquet",
        "-m",
        model_file,
    ]
    done = subprocess.run(
        [*command, "-o", "rows", "--engine", "ray"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "name the column of its images with --image-column" in done.stderr
    assert "Traceback" not in done.stderr
