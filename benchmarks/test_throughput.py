"""Throughput from paths to verdicts, for 2,000 PNG files of 150 px, against what the cores allow.

    pytest benchmarks/test_throughput.py

The bound is cores / (decode + inference), both measured on one thread: every core does nothing but
decode and infer. The rest of the time is waiting, copying and Python.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor
from galaxy_edge.engine.threads import threads
from galaxy_edge.inputs.images import decode

Benchmark = Callable[..., Any]
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
COUNT = 2000
#: Smallest share of the bound that a run must reach.
GOAL = 0.85


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("cutouts")
    paths = [root / f"{number:04}.png" for number in range(COUNT)]
    for path, example in zip(paths, EXAMPLES, strict=False):
        Image.open(example).resize((150, 150), Image.Resampling.BICUBIC).save(path)
    for number in range(len(EXAMPLES), COUNT):
        shutil.copyfile(paths[number % len(EXAMPLES)], paths[number])
    return paths


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.benchmark(group="2,000 PNGs of 150 px, from path to verdict")
def test_throughput_against_the_bound(benchmark: Any, folder: list[Path]):
    one, all_cores = Predictor(device="cpu", threads=1), Predictor(device="cpu")
    steps = one.preprocessing
    batch = np.stack([decode(path, steps) for path in folder[:32]])
    decoding, scoring = [], []

    def rate_alone() -> None:
        decoding.append(seconds(lambda: [decode(path, steps) for path in folder[:320]]) / 320)
        scoring.append(seconds(lambda: [one.scores(batch) for _ in range(10)]) / 320)

    # The three are measured in turn, so that a slow moment of the machine affects them all.
    benchmark.pedantic(
        lambda: list(all_cores.predict_many(folder)), setup=rate_alone, rounds=5, warmup_rounds=1
    )
    cores = threads().count
    cost = statistics.median(decoding) + statistics.median(scoring)
    benchmark.extra_info.update(
        decode_ms=round(statistics.median(decoding) * 1e3, 3),
        inference_ms=round(statistics.median(scoring) * 1e3, 3),
        bound_images_per_s=round(cores / cost),
    )
    if benchmark.enabled:
        took = benchmark.stats.stats.median
        share = COUNT / took / (cores / cost)
        benchmark.extra_info.update(
            images_per_s=round(COUNT / took), share_of_bound=round(share, 3)
        )
        print(f"\n{benchmark.extra_info}")
        assert share >= GOAL
