"""What an image costs besides decoding and the network: Python, results, threads and writing.

    pytest benchmarks/test_overhead.py -s

Decoding and the network are replaced by functions that return at once, so that all processor time
that is left is overhead.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_edge import Predictor, job, predictor
from galaxy_edge.engine.session import Result
from galaxy_edge.inputs.images import Decoded
from galaxy_edge.inputs.source import Source
from galaxy_edge.outputs.output import form_of, opened

COUNT = 20_000
ROUNDS = 5
#: Largest overhead of an image, seconds.
GOAL = 40e-6


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """The bundled model, without its decoding and its network."""
    found = Predictor(device="cpu", threads=1)
    size = found.preprocessing.size
    decoded = Decoded(np.zeros((size, size, 3), np.uint8))
    scores = np.full((64, 2), 0.5, np.float32)
    usual = np.full(64, 0.5, np.float32)

    def run(images: Any) -> Result:
        return Result(scores[: len(images)], usual[: len(images)])

    monkeypatch.setattr(predictor, "decoded", lambda *_, **__: decoded)
    monkeypatch.setattr(predictor.Session, "run", lambda _, images: run(images))
    return found


@pytest.mark.parametrize("form", ["none", "csv", "jsonl", "parquet"])
def test_the_overhead_of_an_image(benchmark: Any, idle: Predictor, tmp_path: Path, form: str):
    sources = [Source(f"survey/field/{number:06}.png") for number in range(COUNT)]
    taken = []
    for number in range(ROUNDS if benchmark.enabled else 1):
        start = time.process_time()
        if form == "none":
            assert sum(1 for _ in idle.predict_many(sources)) == COUNT
        else:
            path = tmp_path / f"{number}.{form}"
            with opened(path, form_of(path), job.origin(idle), resuming=False) as rows:
                assert job.run(sources, idle, rows).total == COUNT
        taken.append((time.process_time() - start) / COUNT)
    each = statistics.median(taken)
    print(f"\n| {form} | {each * 1e6:.0f} us |")
    benchmark.pedantic(lambda: None)
    if benchmark.enabled:
        assert each <= GOAL
