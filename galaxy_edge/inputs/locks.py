"""A lock that a fork leaves usable."""

from __future__ import annotations

import os
import threading


def fork_safe_lock() -> threading.Lock:
    """Make a lock that is never held in a child process after a fork.

    A fork waits until no other thread holds the lock. Otherwise the child would have a lock that
    no thread of its own can release.
    """
    lock = threading.Lock()
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock
