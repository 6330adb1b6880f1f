"""Helpers for the tests of bad input: classify a source between two good images."""

from __future__ import annotations

import re

import pytest

from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import encoded, galaxy

STEPS = Preprocessing()
GOOD = (encoded(galaxy(1)), encoded(galaxy(2)))
MIB = 1 << 20


def scores(predictor, sources):
    return [prediction.score for prediction in predictor.predict_many(sources)]


def predict_between_good(predictor, source):
    """Classify a source between two good images, and check that their scores do not change."""
    first, middle, last = predictor.predict_many([GOOD[0], source, GOOD[1]])
    if middle.score is None:
        assert [first.score, last.score] == scores(predictor, GOOD)
    else:
        # In a batch of three, the last digit of a score may differ.
        assert [first.score, last.score] == pytest.approx(scores(predictor, GOOD), abs=1e-6)
    return middle


def assert_failed(prediction, reason):
    assert prediction.status == "error"
    assert (prediction.score, prediction.label) == (None, None)
    assert re.match(f"({reason})", prediction.error), prediction.error
