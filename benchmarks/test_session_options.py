"""Costs and gains of spinning threads and of the memory arena, for docs/performance.md.

    pytest benchmarks/test_session_options.py -s

Each setting runs in its own process, so that it inherits neither memory nor waiting threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODEL = Path(__file__).parents[1] / "galaxy_edge" / "models" / "galaxy-edge.onnx"
CHILD = """
import json, resource, statistics, sys, time
from concurrent.futures import ThreadPoolExecutor
import numpy, onnxruntime
from galaxy_edge.engine.threads import threads
model, spinning, arena = sys.argv[1], sys.argv[2], sys.argv[3]
cores = threads().count
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = cores
options.enable_cpu_mem_arena = arena == "arena"
options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning == "spin")))
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
rng = numpy.random.default_rng(0)
images = rng.integers(0, 255, (256, 64, 64, 3), numpy.uint8)

def run(count):
    return session.run(None, {"image": images[:count]})

def milliseconds(work, rounds):
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1e3, 3)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 2**20

def shared(pool):
    # Like predict_many: one batch per core at once, with about as much work for Python and Pillow
    # between two batches.
    return list(pool.map(lambda _: (sum(range(300_000)), run(32)), range(2 * cores)))

found = {"one_image_ms": milliseconds(lambda: run(1), 100)}
found["after_one_image_mib"] = resident()
found["batch_of_32_ms_per_image"] = round(milliseconds(lambda: run(32), 15) / 32, 3)
found["after_batches_of_32_mib"] = resident()
with ThreadPoolExecutor(cores) as pool:
    found["concurrent_batches_ms"] = milliseconds(lambda: shared(pool), 8)
run(256)
run(1)
found["after_batch_of_256_mib"] = resident()
start = time.process_time(), time.perf_counter()
for _ in range(40):
    run(1)
    time.sleep(0.01)
found["cores_busy"] = round((time.process_time() - start[0]) / (time.perf_counter() - start[1]), 2)
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.benchmark(group="spinning and arena")
@pytest.mark.parametrize("arena", ["arena", "no arena"])
@pytest.mark.parametrize("spinning", ["spin", "no spin"])
def test_settings(benchmark: Any, spinning: str, arena: str):
    done = benchmark.pedantic(
        lambda: subprocess.run(
            [sys.executable, "-c", CHILD, MODEL, spinning, arena],
            capture_output=True, text=True, check=True,
        ),
        rounds=1,
    )  # fmt: skip
    found = json.loads(done.stdout)
    benchmark.extra_info.update(found)
    print(f"\n{spinning}, {arena}: {found}")
