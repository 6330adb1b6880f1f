"""A second execution provider, on any machine: .ci/run creates an environment with OpenVINO."""

from __future__ import annotations

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


@pytest.mark.parametrize("device", ["openvino", "auto"])
def test_the_provider_is_used(device: str):
    predictor = Predictor(device=device)
    assert predictor.provider == PROVIDER
    assert {prediction.provider for prediction in predictor.predict_many(EXAMPLES)} == {PROVIDER}


def test_scores_agree_with_those_recorded_at_export():
    assert verify(Predictor(device="openvino")).largest_difference <= 1e-3


def test_scores_agree_with_those_of_the_cpu():
    both = [
        [prediction.score for prediction in Predictor(device=device).predict_many(EXAMPLES)]
        for device in ("openvino", "cpu")
    ]
    np.testing.assert_allclose(*both, atol=1e-3)
