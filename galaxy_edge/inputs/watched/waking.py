"""Wait until something may have changed in a folder.

Polling works everywhere, network file systems included. With the package watchfiles, the system
says when a local folder changes; the folder is then listed at once and otherwise rarely.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Seconds from one look at the waiting files to the next, and from one listing of the folder to
#: the next.
TICK, POLL = 0.05, 0.1
#: The same for the listing, while the system announces every new file.
_TRUSTING = 2.0
#: A large folder is listed for half of the time, so that new files are found soon. The first
#: listing, of a folder with many files, takes longer than the others.
_LONGEST = 1.0


class Waker:
    """Waits, and decides when the folder is listed.

    Args:
        folder: the folder.
        stopped: whether to stop; waiting then ends.
        recursive: whether the folders below it count.
        events: use watchfiles if it is installed.
    """

    def __init__(
        self,
        folder: Path,
        stopped: Callable[[], bool],
        *,
        recursive: bool = False,
        events: bool = True,
    ) -> None:
        self._stopped = stopped
        self._folder = folder
        self._absolute = str(folder.absolute())
        self._changes = _changes(folder, recursive=recursive) if events else None
        self._trusted = self._changes is not None
        self._next = 0.0
        # Files that a listing found and no announcement gave, until now.
        self._unannounced: set[str] | None = None
        self._has_waited = False

    def is_due(self) -> bool:
        """Whether the folder is to be listed now."""
        return time.monotonic() >= self._next

    def hurry(self) -> None:
        """List the folder at the next opportunity."""
        self._next = 0.0

    def listed(self, began: float, found: list[str]) -> None:
        """Say that the folder was listed.

        Args:
            began: when the listing began, in seconds of `time.monotonic`.
            found: the new files.
        """
        if self._trusted:
            self._compare(found)
        now = time.monotonic()
        pause = _TRUSTING if self._trusted else POLL
        self._next = now + max(pause, min(now - began, _LONGEST))

    def _compare(self, found: list[str]) -> None:
        """Trust the announcements no longer if they left out a file that a listing found."""
        # Changes that other computers make to a network file system are not announced.
        if self._has_waited:
            self._trusted = not self._unannounced
            self._unannounced = set()
        # At first, all files are new.
        self._unannounced = set() if self._unannounced is None else self._unannounced | {*found}
        self._has_waited = False

    def wait(self) -> list[str]:
        """Wait for a moment, or until something changes.

        Returns:
            Paths that may be new; none if the system does not say.
        """
        if self._stopped():
            return []
        if self._changes is None:
            time.sleep(TICK)
            return []
        try:
            paths = [path for _, path in next(self._changes)]
        except (OSError, RuntimeError):  # as when the folder is unmounted
            self._changes, self._trusted = None, False
            return []
        # The names of a relative folder come as absolute ones.
        paths = [path.replace(self._absolute, str(self._folder), 1) for path in paths]
        if self._unannounced:
            self._unannounced.difference_update(paths)
        self._has_waited = True
        return paths


def _changes(folder: Path, *, recursive: bool) -> Iterator[Any] | None:
    """Sets of changes, an empty one after each moment without any; None without watchfiles."""
    try:
        from watchfiles import watch  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    changes: Iterator[Any] = watch(
        folder,
        watch_filter=None,
        debounce=int(1000 * TICK),
        step=int(500 * TICK),
        rust_timeout=int(1000 * TICK),
        yield_on_timeout=True,
        recursive=recursive,
        force_polling=False,
    )
    try:
        # It begins to look when it is asked first.
        next(changes)
    except (OSError, RuntimeError):  # the system has no more watches to give
        return None
    return changes
