"""The time of a training step with Keras on TensorFlow, JAX and PyTorch, and with their options.

    pip install jax torch
    pytest benchmarks/test_backends.py -s

Each row runs in its own process. Backends that are not installed are left out. A step is one batch
of the recipe's size, without reading and augmentation, which run beside it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import pytest

from galaxy_edge_train.recipes import RECIPES

#: Rows: the backend, the policy of the numbers, and whether Keras compiles a step with XLA. JAX
#: always does, PyTorch cannot.
ROWS = {
    "TensorFlow": ("tensorflow", "float32", "False"),
    "TensorFlow, jit_compile": ("tensorflow", "float32", "True"),
    "TensorFlow, bfloat16": ("tensorflow", "mixed_bfloat16", "False"),
    "JAX": ("jax", "float32", "True"),
    "JAX, bfloat16": ("jax", "mixed_bfloat16", "True"),
    "PyTorch": ("torch", "float32", "False"),
    "PyTorch, bfloat16": ("torch", "mixed_bfloat16", "False"),
}
STEPS = 8
#: The default must not be slower than this multiple of the fastest row that is as exact.
GOAL = 3.0

#: Prints the median time of a step, ms.
CHILD = """
import statistics, sys, time
import keras, numpy as np
from galaxy_edge_train import networks
from galaxy_edge_train.optimizer import optimizer
from galaxy_edge_train.recipes import RECIPES

kind, policy, compiled, steps = sys.argv[1:]
keras.config.set_dtype_policy(policy)
keras.utils.set_random_seed(0)
config = RECIPES[kind]
size, count = config.preprocessing.size, config.batch_size
model = networks.build(config.network, size)
model.compile(
    optimizer=optimizer(config, 100 * count), loss="binary_crossentropy", metrics=["accuracy"],
    jit_compile=compiled == "True",
)
images = np.random.default_rng(0).random((count, size, size, 3), np.float32)
labels = np.arange(count, dtype=np.float32)[:, None] % 2
for _ in range(3):
    model.train_on_batch(images, labels)
taken = []
for _ in range(int(steps)):
    start = time.perf_counter()
    model.train_on_batch(images, labels)
    taken.append(time.perf_counter() - start)
print(1e3 * statistics.median(taken))
"""


def milliseconds(kind: str, row: str, steps: int) -> float:
    backend, policy, compiled = ROWS[row]
    command = [sys.executable, "-c", CHILD, kind, policy, compiled, str(steps)]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


@pytest.mark.benchmark(group="a training step on each backend")
@pytest.mark.parametrize("kind", RECIPES)
def test_a_training_step(benchmark: Any, kind: str):
    rows = [row for row, (name, *_) in ROWS.items() if importlib.util.find_spec(name)]
    if not benchmark.enabled:
        rows = rows[:1]  # that it runs
    found = {row: milliseconds(kind, row, STEPS if benchmark.enabled else 1) for row in rows}
    print(f"\n{kind}, batches of {RECIPES[kind].batch_size}")
    for row, each in found.items():
        print(f"| {row} | {each:,.0f} ms | {each / found['TensorFlow']:.2f} |")
    benchmark.pedantic(lambda: None)
    if benchmark.enabled:
        exact = [each for row, each in found.items() if "bfloat16" not in row]
        assert found["TensorFlow"] <= GOAL * min(exact)
