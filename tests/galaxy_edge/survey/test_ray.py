"""Surveys on Ray: the rows are those of `predict`, also if a worker or the driver is killed."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from galaxy_edge import Predictor
from tests.following import commands_in
from tests.galaxy_edge.survey.processes import (
    finished,
    is_starting,
    is_working,
    kill,
    wait_for,
    workers,
)
from tests.galaxy_edge.survey.sources import TABLES, rows_in, rows_of, tables
from tests.pages import steps
from tests.systems import linux

pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = linux
PARTS, ROWS = 40, 8


def start(source: Path, destination: Path, model: Path) -> subprocess.Popen[str]:
    # Relative paths, as users write them.
    (line,) = steps("docs/survey.md", "Ray")
    words = [*commands_in(line.text)[0], "--keep", "ra", "-m", model]
    assert (source.name, destination.name) == (Path(words[1]).name, Path(words[7]).name)
    # How long Ray waits for a worker that starts. Its default is a minute.
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_register_timeout_seconds": "15"}
    return subprocess.Popen(
        [sys.executable, "-m", "galaxy_edge", *map(str, words)],
        cwd=source.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | settings,
    )  # fmt: skip


def test_workers_and_the_driver_are_killed(tmp_path: Path, model_file: Path):
    source = tables(tmp_path / "cutouts", PARTS, ROWS)
    destination = tmp_path / "verdicts"
    driver = start(source, destination, model_file)
    wait_for(lambda: finished(destination) >= 2, driver)
    first = workers(driver.pid, is_working, is_starting)
    driver.kill()
    driver.communicate()
    assert driver.returncode == -signal.SIGKILL
    # Its workers may finish a part each.
    wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in first))
    before = finished(destination)
    assert 2 <= before < PARTS - 4
    driver = start(source, destination, model_file)
    # All those that start, and later one that works.
    wait_for(lambda: workers(driver.pid, is_starting), driver)
    starting = workers(driver.pid, is_starting)
    kill(starting)
    wait_for(lambda: finished(destination) > before and workers(driver.pid, is_working), driver)
    working = workers(driver.pid, is_working)[:1]
    kill(working)
    assert starting
    assert working
    assert not {*starting} & {*working}
    assert finished(destination) < PARTS
    _, err = driver.communicate(timeout=120)
    assert driver.returncode == 1, err
    assert f"{PARTS * ROWS} images: " in err
    words = ["predict", source.name, *TABLES, "-m", model_file, "-q", "-o", "rows.parquet"]
    command = [sys.executable, "-m", "galaxy_edge", *map(str, words)]
    assert subprocess.run(command, check=False, cwd=tmp_path).returncode == 1
    assert rows_in(destination) == rows_of(tmp_path / "rows.parquet")


def test_ray_itself_is_killed(tmp_path: Path, model_file: Path):
    parts = 5 * PARTS  # Ray must not finish them before it is killed
    source = tables(tmp_path / "cutouts", parts, ROWS)
    destination = tmp_path / "verdicts"
    driver = start(source, destination, model_file)
    wait_for(lambda: finished(destination) >= 1, driver)
    kill(workers(driver.pid, lambda words: words[0].endswith(b"/raylet")))
    _, err = driver.communicate(timeout=120)
    assert driver.returncode == 2, err
    assert re.search(r"Ray gave up cutouts/\d+.parquet \(\w+\): .*: repeat the command", err), err
    assert "Traceback" not in err
    assert 1 <= finished(destination) < parts


def test_a_worker_opens_its_model_once(model_file: Path):
    """Each opening costs memory that is not returned: benchmarks/test_survey_ray.py."""
    from galaxy_edge.survey.ray import _opened

    pickled = pickle.dumps(Predictor(model_file, threads=1))
    assert _opened(pickled) is _opened(bytes(pickled))


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
