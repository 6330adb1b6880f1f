"""Read a stream as its bytes arrive, and know when a read would wait."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from functools import partial
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO

_BLOCK = 65536
#: Seconds. What is at hand comes sooner, and Ctrl-C must not wait longer: on Windows, a thread that
#: waits without a limit cannot be interrupted.
_SOON = 0.05


def blocks(stream: BinaryIO) -> Iterator[bytes | None]:
    """Yield what arrives, at most 64 KiB at a time, and None before a read would wait."""
    handle = _handle(stream)
    if handle is None:
        yield from iter(partial(stream.read, _BLOCK), b"")
    elif _is_ready(handle, 0) is None:
        yield from _read_by_thread(handle)
    else:
        yield from _read(handle)


def _handle(stream: BinaryIO) -> int | None:
    try:
        return stream.fileno()
    except OSError:  # a stream in memory has no handle and never waits
        return None


def _is_ready(handle: int, timeout: float | None) -> bool | None:
    """Whether there is something to read; None if the system does not say."""
    try:
        return bool(select.select([handle], [], [], timeout)[0])
    except (OSError, ValueError):  # select takes only sockets on Windows, and no high handles
        return None


def _read(handle: int) -> Iterator[bytes | None]:
    while True:
        if not _is_ready(handle, 0):
            yield None
            # The pipe may be non-blocking, depending on the parent process.
            _is_ready(handle, None)
        block = os.read(handle, _BLOCK)
        if not block:
            return
        yield block


def _read_by_thread(handle: int) -> Iterator[bytes | None]:
    found: Queue[bytes | OSError] = Queue(maxsize=4)
    # It may wait for ever, and must not keep the program from ending.
    Thread(target=_fill, args=(found, handle), daemon=True).start()
    while True:
        try:
            block = found.get(timeout=_SOON)
        except Empty:
            yield None
            block = _next(found)
        if isinstance(block, OSError):
            raise block
        if not block:
            return
        yield block


def _fill(found: Queue[bytes | OSError], handle: int) -> None:
    block = b"-"
    while block:
        try:
            block = os.read(handle, _BLOCK)
        except OSError as error:
            found.put(error)
            return
        found.put(block)


def _next(found: Queue[bytes | OSError]) -> bytes | OSError:
    while True:
        try:
            return found.get(timeout=_SOON)
        except Empty:
            continue
