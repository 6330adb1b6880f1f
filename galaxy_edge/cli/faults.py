"""What an exception means for the user, where its class does not say it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from galaxy_edge.errors import GalaxyEdgeError

#: What the system's loader, C++, onnxruntime, Python's threads and Python say without memory.
#: An extension module that cannot be loaded for this reason raises ImportError.
_NO_MEMORY = re.compile(
    "failed to map segment|cannot allocate memory|failed to allocate memory|bad_alloc"
    "|can't start new thread|without exception set",
    re.IGNORECASE,
)


def memory_fault(error: BaseException) -> str | None:
    """A sentence for the user if an exception comes from a lack of memory; None if it does not."""
    for one in _chain(error):
        if isinstance(one, MemoryError):
            return _sentence(str(one))
        # Our own messages contain file names, which may have any words.
        if isinstance(one, GalaxyEdgeError):
            continue
        for line in str(one).splitlines():
            if _NO_MEMORY.search(line):
                return _sentence(line.strip())
    return None


def _sentence(reason: str) -> str:
    where = f" ({reason})" if reason else ""
    return (
        f"not enough memory{where}; raise the limit, or use fewer or smaller images or smaller "
        "batches"
    )


def is_closed_pipe(end: SystemExit) -> bool:
    """Whether Typer or Rich ended the program because the reader of its output has gone.

    Both exit with code 1, which would mean that some inputs failed.
    """
    return end.code == 1 and has_lost_reader(end.__context__)


def has_lost_reader(error: BaseException | None) -> bool:
    """Whether an error says that the reader of a pipe has gone."""
    if isinstance(error, BrokenPipeError):
        return True
    if os.name != "nt" or not isinstance(error, OSError):
        return False
    # What Windows says. An error of a file has its name.
    return error.errno == errno.EINVAL and error.filename is None


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__
