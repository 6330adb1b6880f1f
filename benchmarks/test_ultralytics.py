"""Images a second from paths to verdicts, against ultralytics' `yolo classify` on the same files.

    pip install ultralytics-opencv-headless onnx
    pytest benchmarks/test_ultralytics.py -s

The peer is yolo11n-cls (2.8 million parameters) at 64 px, exported to ONNX by ultralytics, with
random weights, which take the same time as others. It is timed with batches of 1 and of 32, and the
better one counts. Both use all cores. ultralytics is licensed under the AGPL: it is in no extra,
and nothing of ours imports it but this file.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.test_throughput import MODELS, folder, seconds
from galaxy_edge import Predictor

os.environ.setdefault("YOLO_OFFLINE", "true")
ultralytics = pytest.importorskip("ultralytics", reason="ultralytics is not installed")

# It sets this to 1 for its own libraries; we would obey it.
os.environ.pop("OMP_NUM_THREADS", None)
__all__ = ["folder"]  # a fixture

# Warnings of other projects are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore")
ROUNDS = 5
#: Smallest speed, as a multiple of ultralytics'.
GOALS = {"bundled": 1.3, "documented": 0.85}


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The exported network."""
    place = tmp_path_factory.mktemp("yolo")
    before = Path.cwd()
    os.chdir(place)  # it writes its file to the current folder
    try:
        model = ultralytics.YOLO("yolo11n-cls.yaml")
        file = model.export(format="onnx", imgsz=64, dynamic=True, simplify=False, verbose=False)
        yield ultralytics.YOLO(place / file, task="classify")
    finally:
        os.chdir(before)


def test_against_yolo_classify(benchmark: Any, folder: list[Path], yolo: Any):
    names = [str(path) for path in folder]

    def peer(batch: int) -> Callable[[], object]:
        return lambda: sum(
            1 for _ in yolo(names, imgsz=64, batch=batch, stream=True, verbose=False, device="cpu")
        )

    works: dict[str, Callable[[], object]] = {f"yolo, batch {n}": peer(n) for n in (1, 32)}
    for name, path in MODELS.items():
        predictor = Predictor(path, device="cpu")
        works[name] = lambda predictor=predictor: list(predictor.predict_many(folder))
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS if benchmark.enabled else 1):
        for name, work in works.items():
            taken[name].append(seconds(work) / len(folder))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    best = min(each for name, each in medians.items() if name.startswith("yolo"))
    for name, each in medians.items():
        kind = folder[0].suffix[1:]
        print(f"\n| {kind} | {name} | {1 / each:.0f} images/s | {best / each:.2f} |", end="")
    benchmark.pedantic(lambda: None)
    if benchmark.enabled:
        for name, goal in GOALS.items():
            assert best / medians[name] >= goal, name
