"""How long after its completion an image in a watched folder has its row.

    pytest benchmarks/test_watch.py -s

A row must come at most GOAL seconds after the settle time, for 99 of 100 files; and at most that
long after the renaming of a file that was renamed into place, for one of two.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
COUNT = 500
#: Seconds.
SETTLE = 0.5
GOAL = 0.3


class Rows(threading.Thread):
    """Notes when each row appears in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.times: dict[str, float] = {}
        self.stopped = False
        self._path = path

    def run(self) -> None:
        while not self._path.exists():
            time.sleep(0.01)
        line = ""
        with self._path.open() as file:
            while not self.stopped:
                line += file.readline()
                if line.endswith("\n"):
                    self.times[json.loads(line)["path"]] = time.perf_counter()
                    line = ""
                else:
                    time.sleep(0.001)


@pytest.mark.parametrize("events", [True, False], ids=["events", "polling"])
@pytest.mark.parametrize("present", [0, 100_000])
def test_a_row_follows_its_file(
    tmp_path: Path, present: int, pytestconfig: pytest.Config, *, events: bool
) -> None:
    # Untimed, a few files show that it works.
    timed = not pytestconfig.getoption("benchmark_disable")
    count, present = (COUNT, present) if timed else (20, 10)
    if events:
        pytest.importorskip("watchfiles")
    folder, output = tmp_path / "in", tmp_path / "rows.jsonl"
    folder.mkdir()
    for number in range(present):
        # Not images, but names that each listing finds.
        (folder / f"{number}.log").touch()
    hidden = "" if events else "sys.modules['watchfiles'] = None; "
    code = f"import sys; {hidden}from galaxy_edge.cli import main; main()"
    words = ["watch", folder, "-o", output, "--settle", SETTLE, "-q", "--device", "cpu"]
    watching = subprocess.Popen([sys.executable, "-c", code, *map(str, words)])
    rows = Rows(output)
    rows.start()
    completed: dict[str, tuple[str, float]] = {}
    chance = random.Random(1)  # noqa: S311
    (folder / "first.png").write_bytes(EXAMPLES[0].read_bytes())
    while not rows.times:
        time.sleep(0.1)
    for number in range(count):
        path = folder / f"{number:04}.png"
        image = EXAMPLES[number % len(EXAMPLES)].read_bytes()
        kind = chance.choice(["written", "renamed"])
        if kind == "written":
            path.write_bytes(image)
        else:
            part = folder / f".{path.name}"
            part.write_bytes(image)
            time.sleep(0.01)
            part.rename(path)
        completed[str(path)] = kind, time.perf_counter()
        time.sleep(chance.uniform(0, 0.06))
    end = time.monotonic() + 60
    while len(rows.times) <= count and time.monotonic() < end:
        time.sleep(0.1)
    watching.send_signal(signal.SIGTERM)
    watching.wait()
    rows.stopped = True
    rows.join()
    for kind, wait in (("written", SETTLE), ("renamed", 0.0)):
        delays = np.array([rows.times[path] - t for path, (k, t) in completed.items() if k == kind])
        median, p99, most = np.percentile(delays, (50, 99, 100))
        print(
            f"\n{kind}, {present} other files: median {median:.3f} s, p99 {p99:.3f} s, "
            f"maximum {most:.3f} s after completion (settle {SETTLE} s)"
        )
        slowest = median if kind == "renamed" else p99
        assert not timed or slowest - wait < GOAL
