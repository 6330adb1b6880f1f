"""A survey from bucket to bucket on Ray, killed twice: every row comes exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.following import commands_in
from tests.galaxy_edge.survey.cloud.test_buckets import (
    Cli,
    located,
    objects,
    rows_in,
    upload,
)
from tests.galaxy_edge.survey.processes import is_working, kill, wait_for, workers
from tests.galaxy_edge.survey.sources import rows_of, tables
from tests.pages import steps

pytest.importorskip("ray", reason="the extra `ray` is not installed")
PARTS, ROWS = 24, 6
#: Shares of faults: the rows must not depend on them either.
FAULTS = {"500": 0.05, "truncated": 0.05, "answer lost": 0.05}


def test_killed_twice_and_every_row_comes_once(
    tmp_path: Path, model_file: Path, buckets: Any, cli: Cli
):
    """The page's three commands."""
    page = steps("docs/survey.md", "Bucket to bucket on Ray")
    run, status, verify = [words for step in page for words in commands_in(step.text)]
    destination = run[run.index("-o") + 1].removeprefix("s3://verdicts/").rstrip("/")
    folder = tables(tmp_path / "tables", PARTS, ROWS)
    upload(folder, "cutouts")
    buckets(FAULTS)

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "galaxy_edge", *run, "-m", str(model_file)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip

    def finished() -> int:
        return len(objects(f"{destination}/ledger"))

    counts = [0]
    for _ in range(2):
        driver = start()
        wait_for(lambda: finished() > counts[-1], driver)
        mine = workers(driver.pid, is_working)
        driver.kill()
        driver.communicate()
        assert driver.returncode == -signal.SIGKILL
        # What they do meanwhile counts too, if it is complete. They may also be killed.
        kill([one for one in mine if Path(f"/proc/{one}").exists()])
        counts.append(finished())
    assert 0 < counts[1] < counts[2] < PARTS
    driver = start()
    _, err = driver.communicate(timeout=120)
    assert driver.returncode == 1, err
    assert f"{PARTS * ROWS} images: " in err

    rows = rows_in(destination)
    words = ["predict", folder, "--image-column", "image", "--id-column", "object_id"]
    cli(*words, "-m", model_file, "-q", "-o", tmp_path / "rows.parquet")
    assert rows == located(rows_of(tmp_path / "rows.parquet"), folder, "s3://night/cutouts")
    assert len({row["id"] for row in rows}) == len(rows) == PARTS * ROWS
    assert f"finished parts: {PARTS}\nrows: {PARTS * ROWS}\nfailures: {PARTS}\n" in cli(*status)[1]
    code, out, _ = cli(*verify, "-m", model_file)
    assert (code, "difference of a number 0 " in out) == (0, True)
