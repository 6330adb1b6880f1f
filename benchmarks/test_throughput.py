"""Throughput from paths to verdicts: against what the cores allow, and against a plain loop.

    pytest benchmarks/test_throughput.py -s

The bound is cores / (decode + inference), both measured on one thread: every core does nothing but
decode and infer. The rest of the time is waiting, copying and Python. The plain loop is what a user
would write: open, convert and resize with Pillow, score batches of 32 with onnxruntime on all
cores. There are 1,000 files of each kind.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from galaxy_edge import Predictor
from galaxy_edge.engine.opening import located
from galaxy_edge.engine.threads import threads
from galaxy_edge.inputs.images import decode

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
COUNT = 1000
BATCH = 32
ROUNDS = 5
#: Smallest share of the bound that a run must reach.
GOAL = 0.8
#: Smallest speed, as a multiple of the plain loop's.
FASTER = 1.25
KINDS = {"PNG of 150 px": (150, "png"), "JPEG of 424 px": (424, "jpg")}
MODELS = {"bundled": None, "documented": "documented"}


@pytest.fixture(scope="module", params=KINDS)
def folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    size, suffix = KINDS[request.param]
    root = tmp_path_factory.mktemp("cutouts")
    paths = [root / f"{number:04}.{suffix}" for number in range(COUNT)]
    for path, example in zip(paths, EXAMPLES, strict=False):
        Image.open(example).resize((size, size), Image.Resampling.BICUBIC).save(path)
    for number in range(len(EXAMPLES), COUNT):
        shutil.copyfile(paths[number % len(EXAMPLES)], paths[number])
    return paths


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plain_loop(session: onnxruntime.InferenceSession, paths: list[Path], size: int) -> None:
    for start in range(0, len(paths), BATCH):
        images = [
            np.asarray(
                Image.open(path).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
            )
            for path in paths[start : start + BATCH]
        ]
        session.run(None, {"image": np.stack(images)})


@pytest.mark.parametrize("model", MODELS)
def test_throughput_against_the_bound_and_a_plain_loop(
    benchmark: Any, folder: list[Path], model: str
):
    path = MODELS[model]
    one = Predictor(path, device="cpu", threads=1)
    every = Predictor(path, device="cpu")
    session = onnxruntime.InferenceSession(located(path), providers=["CPUExecutionProvider"])
    steps = one.preprocessing
    batch = np.stack([decode(file, steps) for file in folder[:BATCH]])
    took: dict[str, list[float]] = {"decode": [], "inference": [], "plain": [], "ours": []}
    # All are measured in turn, so that a slow moment of the machine affects them all.
    for _ in range(ROUNDS if benchmark.enabled else 1):
        took["decode"].append(seconds(lambda: [decode(file, steps) for file in folder[:320]]) / 320)
        took["inference"].append(
            seconds(lambda: [one.scores(batch) for _ in range(10)]) / (10 * BATCH)
        )
        took["plain"].append(seconds(lambda: plain_loop(session, folder[:320], steps.size)) / 320)
        took["ours"].append(seconds(lambda: list(every.predict_many(folder))) / COUNT)
    median = {name: statistics.median(times) for name, times in took.items()}
    bound = (median["decode"] + median["inference"]) / threads().count
    print(
        f"\n| {model} | {folder[0].suffix[1:]} | {median['decode'] * 1e3:.2f} ms | "
        f"{median['inference'] * 1e3:.2f} ms | {1 / median['ours']:.0f} images/s | "
        f"{bound / median['ours']:.2f} of the bound | "
        f"{median['plain'] / median['ours']:.2f} times the plain loop |"
    )
    benchmark.pedantic(lambda: None)
    if benchmark.enabled:
        assert bound / median["ours"] >= GOAL
        assert median["plain"] / median["ours"] >= FASTER
