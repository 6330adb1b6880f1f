"""How many threads to use: the least of all that limit this process.

onnxruntime's own default is the machine's cores, which on a shared node, or in a container with a
quota, are not this process's: its threads would then wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import UsageError

#: Set by a batch system or a user for the whole job, not for us alone.
_VARIABLES = ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Threads:
    """A thread count and what set it.

    Attributes:
        count: at least 1.
        source: the limit it comes from, in words.
    """

    count: int
    source: str


def threads(
    requested: int | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> Threads:
    """The least of the cores this process may run on, its cgroup's quota, and what was asked for.

    Args:
        requested: what the user asks for.
        environment: where SLURM_CPUS_PER_TASK and OMP_NUM_THREADS may be.
        root: where ``proc`` and ``sys`` are.

    Raises:
        UsageError: fewer than one thread was asked for.
    """
    limits = [Threads(_cores(), "the cores this process may run on")]
    limits += [Threads(max(int(cpus), 1), "the quota of its cgroup") for cpus in _quotas(root)]
    for name in _VARIABLES:
        # OMP_NUM_THREADS may list a number for each level of nesting; the first is the outermost.
        value = environment.get(name, "").split(",")[0].strip()
        if value.isdecimal() and int(value) > 0:
            limits.append(Threads(int(value), name))
    if requested is not None:
        if requested < 1:
            raise UsageError(f"at least one thread is needed, not {requested}")
        limits.append(Threads(requested, "the number asked for"))
    return min(limits, key=lambda limit: limit.count)


def _cores() -> int:
    # macOS and Windows cannot bind a process to cores and lack the call.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """The processor quotas, in cores, of this process's cgroups and all above them."""
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
    # Inside a container the path may be the host's, and only the mount itself be there.
    folder = Path(path.lstrip("/"))
    yield mount / folder
    for parent in folder.parents:
        yield mount / parent


def _ratio(quota: str, period: str) -> Iterator[float]:
    # No quota is "max" in version 2 and -1 in version 1.
    if quota.isdecimal() and period.isdecimal() and int(period) > 0:
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
