"""Processes of Ray below a command: to find, to wait for and to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

#: The words of a command line -> whether it is the kind.
Kind = Callable[[list[bytes]], bool]


def is_starting(words: list[bytes]) -> bool:
    """A worker that Ray does not know yet."""
    return len(words) > 1 and words[1].endswith(b"/default_worker.py")


def is_working(words: list[bytes]) -> bool:
    """A worker with a task."""
    return words[0].startswith(b"ray::_work")


def workers(driver: int, *kinds: Kind) -> list[int]:
    """The processes of these kinds below a driver."""
    parents: dict[int, int] = {}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if any(kind(words) for kind in kinds):
            found.append(int(path.name))

    def is_below(one: int) -> bool:
        return one == driver or (one in parents and is_below(parents[one]))

    return [one for one in found if is_below(one)]


def kill(processes: list[int]) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)


def finished(destination: Path) -> int:
    return len([*(destination / "ledger").glob("[!.]*")])


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen[str] | None = None, limit: float = 90
) -> None:
    """Wait until something is so, or a process has ended."""
    end = time.monotonic() + limit
    while not condition() and (process is None or process.poll() is None):
        assert time.monotonic() < end, "it has taken too long"
        time.sleep(0.01)
