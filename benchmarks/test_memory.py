"""The most memory that a stream of images takes, by their number, each in a process of its own.

pytest benchmarks/test_memory.py -s
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "fake_valid_0000.png"
CHILD = """
import sys
from itertools import repeat
from galaxy_edge import Predictor
from galaxy_edge.benchmark.memory import peak_bytes
path, count = sys.argv[1], int(sys.argv[2])
assert sum(1 for _ in Predictor(device="cpu").predict_many(repeat(path, count))) == count
print(peak_bytes())
"""
#: A stream of ten times as many images may take so much more.
GOAL = 1.1
peaks: dict[int, int] = {}


@pytest.mark.skipif(sys.platform == "win32", reason="not measured there")
@pytest.mark.benchmark(group="a stream of files, whole process")
@pytest.mark.parametrize("count", [500, 5000])
def test_peak_memory(benchmark: Any, count: int):
    done = benchmark.pedantic(
        lambda: subprocess.run(
            [sys.executable, "-c", CHILD, EXAMPLE, str(count)],
            check=True, capture_output=True, text=True,
        ),
        rounds=1,
    )  # fmt: skip
    peaks[count] = int(done.stdout)
    benchmark.extra_info["peak_mib"] = round(peaks[count] / 2**20, 1)
    print(f"\n{count} images: {benchmark.extra_info['peak_mib']} MiB")
    if benchmark.enabled and count == 5000 and 500 in peaks:
        assert peaks[5000] <= GOAL * peaks[500]
