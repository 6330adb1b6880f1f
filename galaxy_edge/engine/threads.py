"""The number of threads to use: the smallest of all limits on this process.

By default onnxruntime uses all cores of the machine. On a shared node, or in a container with a
quota, this process may use only some of them, and too many threads would wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import UsageError

#: Variables that a batch system or a user sets for a whole job.
_VARIABLES = ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Threads:
    """A number of threads, and the limit that set it.

    Attributes:
        count: number of threads, at least 1.
        source: description of the limit.
    """

    count: int
    source: str


def threads(
    requested: int | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> Threads:
    """Choose the number of threads.

    It is the smallest of: the cores this process may run on, the quota of its cgroup,
    SLURM_CPUS_PER_TASK, OMP_NUM_THREADS, and the requested number.

    Args:
        requested: number of threads requested by the user, if any.
        environment: the environment variables.
        root: folder that contains ``proc`` and ``sys``.

    Raises:
        UsageError: fewer than one thread is requested.
    """
    limits = [Threads(_cores(), "the cores this process may run on")]
    limits += [Threads(max(int(cpus), 1), "the quota of its cgroup") for cpus in _quotas(root)]
    for name in _VARIABLES:
        # OMP_NUM_THREADS may list one number per nesting level; the first is the outermost.
        value = environment.get(name, "").split(",")[0].strip()
        if value.isdecimal() and int(value) > 0:
            limits.append(Threads(int(value), name))
    if requested is not None:
        if requested < 1:
            raise UsageError(f"the number of threads must be at least 1, not {requested}")
        limits.append(Threads(requested, "the requested number"))
    return min(limits, key=lambda limit: limit.count)


def _cores() -> int:
    # macOS and Windows cannot bind a process to cores, so they lack this function.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """CPU quotas, in cores, of the cgroups of this process and of all their parents."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            for folder in _upwards(root / "sys/fs/cgroup", path):
                quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
                yield from _ratio(quota, period)
        elif "cpu" in controllers.split(","):
            for folder in _upwards(root / "sys/fs/cgroup/cpu", path):
                quota = _read(folder / "cpu.cfs_quota_us").strip()
                yield from _ratio(quota, _read(folder / "cpu.cfs_period_us").strip())


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    # Inside a container the path may be that of the host, where only the mount itself exists.
    folder = Path(path.lstrip("/"))
    yield mount / folder
    for parent in folder.parents:
        yield mount / parent


def _ratio(quota: str, period: str) -> Iterator[float]:
    # "max" (cgroup version 2) and -1 (version 1) mean no quota.
    if quota.isdecimal() and period.isdecimal() and int(period) > 0:
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
