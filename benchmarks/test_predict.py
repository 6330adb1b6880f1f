"""The runtime: decoding, scoring, and both together.

pytest benchmarks/test_predict.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.inputs.images import decode

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
Benchmark = Callable[..., Any]


@pytest.fixture(scope="module", params=[1, None], ids=["1 thread", "all threads"])
def predictor(request: pytest.FixtureRequest) -> Predictor:
    return Predictor(device="cpu", threads=request.param)


@pytest.mark.benchmark(group="score a batch")
@pytest.mark.parametrize("batch", [1, 8, 32])
def test_score(benchmark: Benchmark, predictor: Predictor, batch: int):
    steps = predictor.manifest.preprocessing
    images = np.stack([decode(EXAMPLES[i % len(EXAMPLES)], steps) for i in range(batch)])
    assert benchmark(predictor.scores, images).shape == (batch, 2)


@pytest.mark.benchmark(group="load the model")
def test_load(benchmark: Benchmark):
    assert benchmark(Predictor, device="cpu", check=False).provider == "CPUExecutionProvider"


@pytest.mark.benchmark(group="decode one image of 64 px")
def test_decode(benchmark: Benchmark):
    steps = Predictor(device="cpu").manifest.preprocessing
    assert benchmark(decode, EXAMPLES[0], steps).shape == (64, 64, 3)


@pytest.mark.benchmark(group="a dozen files, from path to verdict")
def test_files(benchmark: Benchmark, predictor: Predictor):
    verdicts = benchmark(lambda: list(predictor.predict_many(EXAMPLES)))
    assert len(verdicts) == len(EXAMPLES)
