"""Surveys on Ray: two workers against one, and memory against the number of rows.

    pytest benchmarks/test_survey_ray.py -s
    GALAXY_EDGE_ROWS=1000000 pytest benchmarks/test_survey_ray.py -s -k memory

Rates are those between the first parts and the last one, without the start of the command and of
its workers. With other programs on the machine, the best of several rounds says most.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.test_survey import command, seconds, write

pytest.importorskip("ray", reason="the extra `ray` is not installed")

#: Smallest ratio of the rate of two workers to that of one.
GOAL = 1.8
#: Largest ratio of the time of two workers to that of `predict` on two threads.
OVERHEAD = 1.1
ROUNDS = 5
PARTS, IMAGES = 24, 1000
#: Numbers of rows, and the most that a process may grow from the first to the last, bytes.
ROWS = (10_000, int(os.environ.get("GALAXY_EDGE_ROWS", "100000")))
GROWTH = 64 * 2**20
PART = 10_000
#: Cluster and command share it.
os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex
os.environ["RAY_AUTH_MODE"] = "token"


@contextmanager
def cluster(cores: int) -> Iterator[tuple[int, str]]:
    """A cluster on this machine: its process and its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = [
        "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--num-cpus={cores}",
        f"--port={port}", "--include-dashboard=false", "--disable-usage-stats",
    ]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *words], **quiet)
    try:
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(3)
        yield process.pid, f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def on_ray(source: Path, output: Path, address: str) -> list[str]:
    words = [*command("survey", source, output), "--engine", "ray", "--address", address]
    return [sys.executable, "-m", "galaxy_edge", *words]


def rate(output: Path) -> float:
    """Rows per second between an early entry of the ledger and the last one."""
    times = sorted(path.stat().st_mtime for path in (output / "ledger").glob("*.json"))
    early = len(times) // 6
    return IMAGES * (len(times) - 1 - early) / (times[-1] - times[early])


def peaks(roots: tuple[int, int]) -> Iterator[tuple[str, int]]:
    """Peak memory of the command and of the workers, bytes."""
    driver, head = roots
    parents, names = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "status").read_text()
            words = (path / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        parents[int(path.name)] = int(values["PPid"])
        if "VmHWM" in values:
            names[int(path.name)] = (words, 1024 * int(values["VmHWM"].split()[0]))

    def is_below(one: int) -> bool:
        return one == head or (one in parents and is_below(parents[one]))

    for process, (words, peak) in names.items():
        if process == driver:
            yield "driver", peak
        elif words.startswith((b"ray::_work", b"ray::IDLE")) and is_below(process):
            yield "worker", peak


def test_two_workers_against_one(benchmark: Any, tmp_path: Path):
    timed = benchmark.enabled
    source = write(tmp_path / "cutouts", PARTS if timed else 6, IMAGES if timed else 4, 150)
    single = write(tmp_path / "one", 1, IMAGES if timed else 4, 150)
    rates: dict[int, list[float]] = {1: [], 2: []}
    alone = []

    def both() -> None:
        for cores, earlier in rates.items():
            output = tmp_path / f"verdicts-{cores}-{len(earlier)}"
            with cluster(cores) as (_, address):
                subprocess.run(on_ray(source, output, address), check=True)
            earlier.append(rate(output))
        start = seconds(command("predict", single, tmp_path / "one.parquet"))
        whole = seconds(command("predict", source, tmp_path / "rows.parquet"))
        alone.append(IMAGES * (PARTS - 1) / (whole - start))

    benchmark.pedantic(both, rounds=ROUNDS if timed else 1)
    if timed:
        one, two, most = max(rates[1]), max(rates[2]), max(alone)
        print(f"\nrows per second: {one:.0f} with one worker, {two:.0f} with two, {most:.0f} alone")
        print(f"{two / one:.2f} times the rows of one; {most / two:.3f} times the time of predict")
        assert two / one >= GOAL
        assert most / two <= OVERHEAD


def test_memory_does_not_grow_with_the_number_of_rows(benchmark: Any, tmp_path: Path):
    found: list[dict[str, int]] = []

    def measure() -> None:
        for rows in ROWS if benchmark.enabled else (8, 16):
            source = write(tmp_path / f"{rows}", max(1, rows // PART), min(rows, PART), 24)
            highest = {"driver": 0, "worker": 0}
            with cluster(2) as (head, address):
                words = on_ray(source, tmp_path / f"verdicts-{rows}", address)
                process = subprocess.Popen(words)
                while process.poll() is None:
                    for name, peak in peaks((process.pid, head)):
                        highest[name] = max(highest[name], peak)
                    time.sleep(0.2)
                assert process.returncode == 0
            found.append(highest)
            shown = ", ".join(f"{name} {peak / 2**20:.0f} MiB" for name, peak in highest.items())
            print(f"\n{rows} rows: {shown}")

    benchmark.pedantic(measure, rounds=1)
    if benchmark.enabled:
        for name in found[0]:
            assert found[-1][name] - found[0][name] <= GROWTH
