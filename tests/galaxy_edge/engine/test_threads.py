from __future__ import annotations

import os
from pathlib import Path

import pytest

from galaxy_edge.engine.threads import threads
from galaxy_edge.errors import UsageError


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)


def machine(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("cpu_", "cpu.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def count(root: Path, requested: int | None = None, **environment: str) -> tuple[int, str]:
    found = threads(requested, environment=environment, root=root)
    return found.count, found.source


def test_by_default_all_cores_of_this_process_are_used(tmp_path: Path):
    assert count(tmp_path) == (16, "the cores this process may run on")


def test_the_smallest_limit_applies(tmp_path: Path):
    assert count(tmp_path, 4) == (4, "the requested number")
    assert count(tmp_path, 40)[0] == 16
    both = {"SLURM_CPUS_PER_TASK": "6", "OMP_NUM_THREADS": "3,2"}
    assert count(tmp_path, 8, **both) == (3, "OMP_NUM_THREADS")
    assert count(tmp_path, 8, SLURM_CPUS_PER_TASK="6") == (6, "SLURM_CPUS_PER_TASK")


@pytest.mark.parametrize("rubbish", ["", "many", "-1", "0", "1.5"])
def test_a_variable_that_is_not_a_count_is_ignored(tmp_path: Path, rubbish: str):
    assert count(tmp_path, OMP_NUM_THREADS=rubbish)[0] == 16


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 16)]
)
def test_a_quota_of_cgroup_version_2_is_a_limit(tmp_path: Path, quota: str, expected: int):
    root = machine(
        tmp_path, proc__self__cgroup="0::/job/step\n", sys__fs__cgroup__job__cpu_max=quota
    )
    assert count(root)[0] == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3), ("-1", 16)])
def test_a_quota_of_cgroup_version_1_is_a_limit(tmp_path: Path, quota: str, expected: int):
    root = machine(
        tmp_path,
        proc__self__cgroup="4:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n",
        # In a container the path is that of the host; only the mount exists.
        sys__fs__cgroup__cpu__cpu_cfs_quota_us=quota,
        sys__fs__cgroup__cpu__cpu_cfs_period_us="100000\n",
    )
    assert count(root)[0] == expected


def test_fewer_than_one_thread_is_an_error(tmp_path: Path):
    with pytest.raises(UsageError, match="number of threads must be at least 1"):
        count(tmp_path, 0)
