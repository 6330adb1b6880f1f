"""A second execution provider, on any machine: .ci/run creates an environment with OpenVINO."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from galaxy_edge import Predictor
from galaxy_edge.golden import verify

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.png"))
PROVIDER = "OpenVINOExecutionProvider"

pytestmark = pytest.mark.skipif(
    PROVIDER not in onnxruntime.get_available_providers(),
    reason="the installed onnxruntime has no OpenVINO",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what ``auto`` has measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "galaxy-edge" / "openvino.json"


def test_the_provider_is_used():
    predictor = Predictor(device="openvino")
    assert predictor.provider == PROVIDER
    assert {prediction.provider for prediction in predictor.predict_many(EXAMPLES)} == {PROVIDER}


def test_auto_takes_what_it_measured_to_be_faster(cache: Path):
    first = Predictor()
    (speed,) = json.loads(cache.read_text()).values()
    faster = PROVIDER if speed["openvino"] <= 0.95 * speed["cpu"] else "CPUExecutionProvider"
    assert first.provider == faster
    again = Predictor()
    assert (again.provider, again.notes) == (first.provider, first.notes)
    assert list(json.loads(cache.read_text()).values()) == [speed]


def test_it_obeys_the_number_of_threads():
    predictor = Predictor(device="openvino", threads=1)
    size = predictor.manifest.preprocessing.size
    images = np.zeros((32, size, size, 3), np.uint8)
    predictor.scores(images)
    start, busy = time.perf_counter(), time.process_time()
    for _ in range(40):
        predictor.scores(images)
    assert time.process_time() - busy <= 1.4 * (time.perf_counter() - start)


def test_scores_agree_with_those_recorded_at_export():
    assert verify(Predictor(device="openvino")).largest_difference <= 1e-3


def test_scores_agree_with_those_of_the_cpu():
    both = [
        [prediction.score for prediction in Predictor(device=device).predict_many(EXAMPLES)]
        for device in ("openvino", "cpu")
    ]
    np.testing.assert_allclose(*both, atol=1e-3)
