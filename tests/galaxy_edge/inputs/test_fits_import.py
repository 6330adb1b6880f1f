"""Astropy that is absent or broken is blamed itself, never the file; in any number of threads."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

THREADS = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
{before}
from galaxy_edge.inputs.images import read
from galaxy_edge import ImageError
content = {content!r}
start = threading.Barrier(8)

def attempt(_):
    start.wait()
    try:
        return read(content).size
    except ImageError as error:
        return str(error)

with ThreadPoolExecutor(8) as pool:
    print({{*pool.map(attempt, range(8))}})
"""
#: Astropy's import takes long enough that the other threads come in its middle.
ABSENT = """
import importlib.abc, time
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "astropy":
            time.sleep(0.05)
            raise {error}
sys.meta_path.insert(0, Finder())
sys.setswitchinterval(1e-5)
"""


def attempts(before: str) -> str:
    import numpy as np
    from astropy.io import fits

    from tests.galaxy_edge.inputs.fits_files import file

    content = file(fits.PrimaryHDU(np.arange(400, dtype=np.int16).reshape(20, 20)))
    script = THREADS.format(before=before, content=content)
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ModuleNotFoundError('x', name='astropy')", "is not installed: pip install"),
        ("ImportError('wrong binary')", "cannot start: wrong binary; install it again"),
        ("AttributeError('np.bool8')", "cannot start: np.bool8; install it again"),
        ("OSError('no home')", "cannot start: no home; set HOME to a folder"),
    ],
)
def test_threads_blame_astropy(error: str, message: str):
    found = attempts(ABSENT.format(error=error))
    # One message, the same in each thread.
    assert re.fullmatch(r"\{(['\"])FITS needs astropy, which .*\1\}", found)
    assert found.count("FITS needs") == 1
    assert message in found


def test_threads_that_import_at_once_all_read():
    assert attempts("") == "{(20, 20)}"
