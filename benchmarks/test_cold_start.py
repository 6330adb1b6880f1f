"""Cold start: ``galaxy-edge predict one.png`` against a bare script, whole processes.

    pytest benchmarks/test_cold_start.py -s

The bare script imports onnxruntime and Pillow, loads the same model, and runs it once on the same
image. The two are started in turn. The Python files of both are already compiled.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import galaxy_edge

IMAGE = Path(__file__).parents[1] / "examples" / "diffusion_0.png"
MODEL = Path(galaxy_edge.__file__).parent / "models" / "galaxy-edge.onnx"
BARE = """
import sys
import numpy, onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession(sys.argv[1])
image = numpy.asarray(Image.open(sys.argv[2]).convert("RGB").resize((64, 64)))
print(session.run(None, {"image": image[None]})[0])
"""
#: Largest allowed time, as a multiple of the bare script's.
GOAL = 1.3


PYTHON = Path(sys.executable)
COMMAND = PYTHON.with_name("galaxy-edge")


def start(*command: object) -> float:
    began = time.perf_counter()
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    return time.perf_counter() - began


@pytest.mark.benchmark(group="cold start, whole process")
def test_cold_start_against_a_bare_script(benchmark: Any, monkeypatch: pytest.MonkeyPatch):
    # pip compiles an installed package; let Python keep its compiled files here, too.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    bare: list[float] = []
    benchmark.pedantic(
        lambda: start(COMMAND, "predict", IMAGE),
        setup=lambda: bare.append(start(PYTHON, "-c", BARE, MODEL, IMAGE)),
        rounds=21,
        warmup_rounds=2,
    )
    if benchmark.enabled:
        ratio = benchmark.stats.stats.median / statistics.median(bare)
        benchmark.extra_info.update(
            bare_ms=round(statistics.median(bare) * 1e3), ratio=round(ratio, 3)
        )
        print(f"\n{benchmark.extra_info}")
        assert ratio <= GOAL


@pytest.mark.benchmark(group="cold start, whole process")
def test_help(benchmark: Any):
    benchmark.pedantic(lambda: start(COMMAND, "--help"), rounds=11, warmup_rounds=1)
