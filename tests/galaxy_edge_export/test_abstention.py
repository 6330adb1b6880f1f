"""The band of scores that are left uncertain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.decision import Decision
from galaxy_edge.errors import UsageError
from galaxy_edge.manifest import DecisionRule, Manifest
from galaxy_edge_export.abstention import band, least_probability


def two(scores: list[float]) -> np.ndarray:
    positive = np.array(scores, np.float32)
    return np.stack([1 - positive, positive], axis=1)


def test_the_band_ends_at_the_last_wrong_score():
    scores = two([0.1, 0.2, 0.4, 0.45, 0.55, 0.6, 0.8, 0.9])
    labels = np.array([0, 0, 1, 0, 1, 0, 1, 1])
    low, high = band(labels, scores, 0.5, 0.0)
    assert (low, high) == pytest.approx((0.4, 0.6))


def test_without_errors_there_is_no_band():
    assert band(np.array([0, 1]), two([0.4, 0.6]), 0.5, 0.0) is None


def test_only_one_side_may_need_a_band():
    low, high = band(np.array([0, 0, 1]), two([0.4, 0.6, 0.8]), 0.5, 0.0)
    assert (low, high) == pytest.approx((0.5, 0.6))


def test_a_score_that_is_wrong_with_full_confidence_cannot_be_left_out():
    with pytest.raises(UsageError, match="choose a larger error"):
        band(np.array([0, 0, 1]), two([0.1, 1.0, 0.9]), 0.5, 0.0)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1), st.floats(0, 1))
def test_the_labels_outside_the_band_are_as_right_as_requested(pairs, error):
    labels = np.array([label for label, _ in pairs])
    scores = two([score / 20 for _, score in pairs])
    try:
        found = band(labels, scores, 0.5, error)
    except UsageError:
        return
    decision = Decision(Manifest(decision=DecisionRule(0.5, found)))
    verdicts = decision.verdicts(scores)
    for name in decision.classes:
        right = [
            decision.classes[label] == name
            for label, one in zip(labels, verdicts, strict=True)
            if one.label == name
        ]
        assert not right or 1 - np.mean(right) <= error + 1e-9


def test_three_classes_get_a_least_probability():
    scores = np.array(
        [[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.6, 0.2, 0.2], [0.5, 0.4, 0.1]], np.float32
    )
    labels = np.array([0, 1, 2, 0])
    assert least_probability(labels, scores, 0.0) == pytest.approx(0.7)
    assert least_probability(labels, scores, 0.25) == 0.0
