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
#: At most this share of the time is spent on listing a large folder.
_SHARE = 0.25


class Waker:
    """Waits, and decides when the folder is listed.

    Args:
        folder: the folder.
        recursive: whether the folders below it count.
        stopped: whether to stop; waiting then ends.
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
        self._changes = _changes(folder, recursive=recursive) if events else None
        self._trusted = self._changes is not None
        self._announced = False
        # The next listing, if something changes before and at the latest.
        self._soonest = self._latest = 0.0

    def is_due(self) -> bool:
        """Whether the folder is to be listed now."""
        now = time.monotonic()
        return now >= self._latest or (self._announced and now >= self._soonest)

    def hurry(self) -> None:
        """List the folder at the next opportunity."""
        self._announced, self._soonest = True, 0.0

    def listed(self, began: float, found: int) -> None:
        """Say that the folder was listed.

        Args:
            began: when the listing began, in seconds of `time.monotonic`.
            found: number of new files.
        """
        # Changes that other computers make to a network file system are not announced.
        if found and not self._announced and self._latest:
            self._trusted = False
        now = time.monotonic()
        self._soonest = now + (now - began) * (1 / _SHARE - 1)
        self._latest = max(self._soonest, now + (_TRUSTING if self._trusted else POLL))
        self._announced = False

    def wait(self) -> None:
        """Wait for a moment, or until something changes."""
        if self._stopped():
            return
        if self._changes is None:
            time.sleep(TICK)
            return
        try:
            self._announced |= bool(next(self._changes))
        except (OSError, RuntimeError):  # as when the folder is unmounted
            self._changes, self._trusted = None, False


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
