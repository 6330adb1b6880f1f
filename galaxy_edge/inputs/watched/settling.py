"""Decide when a file is complete: nobody changes it any more, or it was renamed into place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from galaxy_edge.inputs.formats import container_kind


class State(NamedTuple):
    """What changes when somebody writes to a file, or puts another one in its place."""

    inode: int
    size: int
    time: int


@dataclass(slots=True)
class _Waiting:
    """A file that is not known to be complete.

    Attributes:
        state: the last that was seen.
        since: seconds; the file has been in this state since then, at least.
        renamed: its times say that it was renamed into place.
    """

    state: State
    since: float
    renamed: bool


class Settling:
    """Files that wait until they are complete.

    A file is complete when its size and time have not changed for a while. It is complete at once
    if it was renamed into place: a new file whose inode changed after its content did, which
    writing to it does not do.

    Args:
        seconds: how long a file must stay unchanged.
        glance: how long a file that was renamed must stay unchanged, seconds.
        empty: whether a file without bytes can be complete. Many programs create a file long before
            they write to it.
        vanished: called with the path of a file that does not exist any more.
    """

    def __init__(
        self,
        seconds: float,
        *,
        glance: float = 0.05,
        empty: bool = False,
        vanished: Callable[[str], None] = lambda path: None,
    ) -> None:
        self._seconds = seconds
        self._glance = min(glance, seconds)
        self._empty = empty
        self._vanished = vanished
        self._files: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._files)

    def add(self, paths: list[str], now: float, late: float = 0.0) -> None:
        """Take new files, the oldest first.

        Args:
            paths: the files.
            now: seconds.
            late: how long ago the files may have come, seconds. A file that is as old by its own
                time has been unchanged since then. This is kept small, because the clock of a
                network file system may differ.
        """
        found = []
        clock = time.time()
        for path in paths:
            seen = _look(path)
            if seen is None:
                self._vanished(path)
            else:
                found.append((seen[0].time, path, seen))
        for _, path, (state, changed) in sorted(found):
            # A container that cannot be read would not be tried again.
            renamed = changed > state.time and not container_kind(path)
            age = 0.0 if renamed else clock - state.time / 1e9
            self._files[path] = _Waiting(state, now - min(max(age, 0.0), late), renamed)

    def put_back(self, path: str, now: float) -> None:
        """Take a file that was not complete; it must now stay unchanged like any other."""
        if (state := state_of(path)) is None:
            self._vanished(path)
        else:
            self._files[path] = _Waiting(state, now, renamed=False)

    def complete(self, now: float) -> list[tuple[str, State, bool]]:
        """Remove the files that are complete, or have vanished.

        Returns:
            For each complete one its path, its state, and whether it is taken because it was
            renamed; the oldest first.
        """
        found = []
        for path, waiting in [*self._files.items()]:
            state = state_of(path)
            if state is None:
                del self._files[path]
                self._vanished(path)
                continue
            if state != waiting.state:
                self._files[path] = _Waiting(state, now, renamed=False)
                continue
            unchanged = now - waiting.since
            is_early = waiting.renamed and unchanged < self._seconds
            if unchanged < (self._glance if waiting.renamed else self._seconds):
                continue
            if not (state.size or (self._empty and not is_early)):
                continue
            # Network file systems may answer from memory until a file is opened.
            if state_of(path, fresh=True) == state:
                found.append((path, state, is_early))
                del self._files[path]
        return found


def state_of(path: str, *, fresh: bool = False) -> State | None:
    """The state of a file; None if it does not exist.

    Args:
        path: the file.
        fresh: ask the server of a network file system.
    """
    seen = _look(path, fresh=fresh)
    return None if seen is None else seen[0]


def _look(path: str, *, fresh: bool = False) -> tuple[State, int] | None:
    """The state of a file and the time when its inode changed, both in nanoseconds."""
    try:
        # Called for every waiting file, many times a second.
        status = _opened_status(path) if fresh else os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError) as error:
        # A link may be there before its target.
        return (State(0, 1, error.errno or 0), 0) if os.path.islink(path) else None  # noqa: PTH114
    except OSError as error:  # for now or for good; then its row will say why
        return State(0, 1, error.errno or 0), 0
    # On Windows, the second time is that of the file's creation.
    changed = 0 if os.name == "nt" else status.st_ctime_ns
    return State(status.st_ino, status.st_size, status.st_mtime_ns), changed


def _opened_status(path: str) -> os.stat_result:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except PermissionError:
        return os.stat(path)  # noqa: PTH116
    try:
        return os.fstat(handle)
    finally:
        os.close(handle)
