"""The exported int8 file against the same network in other runtimes, on one machine, in one run.

    pip install -e '.[bench]'
    GALAXY_EDGE_RUN=runs/mine pytest benchmarks/test_peers.py -s

``runs/mine`` is a run folder whose images are still where they were. The peers take turns, in
blocks, so that a slow moment strikes them alike; their scores of the validation images are printed
beside the times, so that nobody wins by being wrong.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_edge.manifest import Preprocessing
from galaxy_edge.threads import threads

RUN = os.environ.get("GALAXY_EDGE_RUN")
if RUN is None:
    pytest.skip("GALAXY_EDGE_RUN names no run folder", allow_module_level=True)
pytest.importorskip("nncf", reason="the extra bench is not installed")

from benchmarks import peers  # noqa: E402 - it imports what the extra brings
from galaxy_edge_export.trained import find  # noqa: E402

# Those of other projects are theirs.
pytestmark = pytest.mark.filterwarnings("ignore")
ROUNDS = 3
SECONDS = 0.5
#: Times as long as the peer that ours may take.
GOALS = {"LiteRT int8": 1.0, "onnxruntime fp32": 1 / 2.2, "onnxruntime static": 1 / 1.15}


def has_amx() -> bool:
    """Whether OpenVINO can multiply in tiles, which onnxruntime's convolutions do not use."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_int8" in cpuinfo.read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def valid(folder: Path) -> tuple[Any, Any]:
    trained = find(Path(str(RUN)), ("Fake", "Real"), Preprocessing())
    return peers.files(trained, folder)


@pytest.fixture(scope="module")
def accuracy(folder: Path, valid: tuple[Any, Any]) -> dict[str, float]:
    pixels, labels = valid
    batches = np.array_split(pixels, -(-len(pixels) // 50))
    verdicts = {
        name: np.concatenate([score(batch) for batch in batches]) > 0.5
        for name, score in (
            (name, make(threads().count)) for name, make in peers.peers(folder).items()
        )
    }
    assert np.mean(verdicts["ours"] != verdicts["Keras"]) < 0.005
    return {name: float(np.mean(each == labels)) for name, each in verdicts.items()}


def milliseconds(score: peers.Score, batch: Any) -> list[float]:
    for _ in range(3):
        score(batch)
    taken: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        score(batch)
        taken.append((time.perf_counter() - start) * 1e3 / len(batch))
    return taken


@pytest.mark.benchmark(group="peers")
@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("cores", [1, threads().count], ids=["1 thread", "all threads"])
def test_ours_against_each(
    benchmark: Any,
    folder: Path,
    valid: tuple[Any, Any],
    accuracy: dict[str, float],
    cores: int,
    batch: int,
):
    pixels, _ = valid
    scorers = {name: make(cores) for name, make in peers.peers(folder).items()}
    taken: dict[str, list[float]] = {name: [] for name in scorers}
    for _ in range(ROUNDS):
        for name, score in scorers.items():
            taken[name] += milliseconds(score, pixels[:batch])
    medians = {name: statistics.median(values) for name, values in taken.items()}
    print(f"\n{cores} threads, batch of {batch}")
    for name, each in medians.items():
        print(
            f"{name:<20} {each:8.3f} ms  ours is {each / medians['ours']:6.2f} times as fast  "
            f"accuracy {accuracy[name]:.4f}"
        )
    benchmark.extra_info.update(medians)
    benchmark(scorers["ours"], pixels[:batch])
    if not benchmark.enabled:
        return
    assert medians["ours fp32"] <= 1.05 * medians["onnxruntime fp32"]
    goals = GOALS if has_amx() else GOALS | {"OpenVINO int8": 1.0}
    for name, goal in goals.items():
        assert medians["ours"] <= goal * medians[name], name


#: Loads the files in turn, from bytes as the runtime does, in a process with nothing else in it.
LOADS = """
import statistics, sys, time
import onnxruntime

models = [open(path, "rb").read() for path in sys.argv[1:]]
taken = [[] for _ in models]
for _ in range(15):
    for model, times in zip(models, taken):
        start = time.perf_counter()
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        times.append(time.perf_counter() - start)
print(*(1e3 * statistics.median(times) for times in taken))
"""


@pytest.mark.benchmark(group="session load")
@pytest.mark.usefixtures("valid")
def test_load(benchmark: Any, folder: Path):
    files = [folder / "static.onnx", folder / "ours.onnx"]
    found = subprocess.run(
        [sys.executable, "-c", LOADS, *files], check=True, capture_output=True, text=True
    )
    plain, ours = map(float, found.stdout.split())
    print(f"\nplain static {plain:.1f} ms, ours {ours:.1f} ms, {ours / plain:.2f} of it")
    model = files[1].read_bytes()
    benchmark(peers.onnxruntime.InferenceSession, model, providers=["CPUExecutionProvider"])
    assert len(model) <= 6e6
    if benchmark.enabled:
        assert ours <= plain / 2
