"""Agreement of other runtimes: with Keras (benchmarks/agreement.py), and on the typicality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from benchmarks.agreement import disagreement
from galaxy_edge import Predictor
from galaxy_edge.inputs.images import decode
from galaxy_edge.manifest import TYPICALITY_TOLERANCE
from tests.conftest import galaxy

COUNT = 1000
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, COUNT, dtype=np.uint8)
#: All verdicts are right, and every score is 0.4 away from the threshold.
KERAS = np.where(LABELS == 1, 0.9, 0.1).astype(np.float32)


def flipped(count: int) -> np.ndarray:
    scores = KERAS.copy()
    scores[:count] = 1 - scores[:count]
    return scores


@pytest.mark.parametrize("exact", [True, False])
def test_identical_scores_agree(exact: bool):
    assert disagreement(KERAS, KERAS, LABELS, exact=exact) is None


def test_float_scores_must_agree_within_a_tolerance():
    assert disagreement(KERAS + np.float32(5e-5), KERAS, LABELS, exact=True) is None
    assert "differs by 2.0e-04" in str(
        disagreement(KERAS + np.float32(2e-4), KERAS, LABELS, exact=True)
    )
    assert disagreement(KERAS + np.float32(0.05), KERAS, LABELS, exact=False) is None


def test_rounded_scores_must_agree_in_verdicts_and_accuracy():
    assert "1.10%" in str(disagreement(flipped(11), KERAS, LABELS, exact=False))
    # Ten flipped verdicts of a thousand are within the limit on flips, but lose too much accuracy.
    assert "accuracy" in str(disagreement(flipped(10), KERAS, LABELS, exact=False))
    assert disagreement(flipped(4), KERAS, LABELS, exact=False) is None
    # Ten flips that gain accuracy are allowed.
    assert disagreement(KERAS, flipped(10), LABELS, exact=False) is None


@pytest.mark.parametrize("exact", [True, False])
def test_non_finite_scores_and_wrong_shapes_disagree(exact: bool):
    broken = KERAS.copy()
    broken[3] = np.nan
    assert disagreement(broken, KERAS, LABELS, exact=exact) is not None
    assert disagreement(KERAS[:, None], KERAS, LABELS, exact=exact) is not None


@pytest.mark.parametrize("side", [24, 200], ids=["as trained", "larger"])
def test_onnxs_reference_evaluator_agrees_on_the_typicality(typical_file: Path, side: int):
    """It shares no code with onnxruntime. The file undoes an enlargement from 16 to 24 pixels."""
    predictor = Predictor(typical_file, device="cpu")
    steps = predictor.manifest.preprocessing
    pixels = np.stack([decode(galaxy(seed, side), steps) for seed in range(6)])
    expected = predictor.scores_and_typicality(pixels)[1]
    evaluator = ReferenceEvaluator(onnx.load(typical_file))
    (found,) = evaluator.run(["typicality"], {"image": pixels})
    np.testing.assert_allclose(found, expected, atol=TYPICALITY_TOLERANCE)
    assert side != 24 or expected.max() > 0
