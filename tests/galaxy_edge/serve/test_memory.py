"""The server's threads share one arena of glibc, so that memory stays flat."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tests.galaxy_edge.serve.servers import ROOT

#: The command, with threads that allocate in the place of the server; glibc then lists its arenas.
ARENAS = """
import ctypes, sys, threading
from galaxy_edge.cli import main
from galaxy_edge.serve import running
libc = ctypes.CDLL(None)
def serve(*arguments, **options):
    barrier = threading.Barrier(8)
    def work():
        barrier.wait()
        for size in range(1000, 60_000, 100):
            bytes(size)
        barrier.wait()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
    libc.fflush(None)
running.serve = serve
main(["serve", "--port", "0", "--device", "cpu"])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these arenas")
@pytest.mark.parametrize(("setting", "one"), [(None, True), ("8", False)])
def test_all_threads_allocate_from_one_arena(setting: str | None, one: bool):
    environment = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    if setting is not None:
        environment["MALLOC_ARENA_MAX"] = setting
    done = subprocess.run(
        [sys.executable, "-c", ARENAS],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout.count("<heap nr=") == 1) is one
