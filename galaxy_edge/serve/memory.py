"""Memory that stays flat in a process that answers requests for months."""

from __future__ import annotations

import ctypes
import os
import platform

#: The number of this setting in glibc's <malloc.h>.
_M_ARENA_MAX = -8


def use_one_arena() -> None:
    """Let all threads allocate from one arena, where the C library is glibc.

    glibc gives up to eight arenas per core to threads, and each keeps what it has freed. With
    bodies of every size in many threads, a server grew by a megabyte a minute and held nothing. One
    arena stays flat, and is not slower: benchmarks/test_serve.py.

    Call it before any other thread starts. It does nothing if MALLOC_ARENA_MAX is set.
    """
    if platform.libc_ver()[0] == "glibc" and "MALLOC_ARENA_MAX" not in os.environ:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
