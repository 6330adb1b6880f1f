from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from galaxy_edge.decision import Decision
from galaxy_edge.evaluation.bootstrap import Bootstrap
from galaxy_edge.evaluation.classes import measures
from galaxy_edge.evaluation.classes.intervals import Ranking
from galaxy_edge.evaluation.classes.measures import calibration_bins, measure
from galaxy_edge.manifest import DecisionRule, Manifest, Outputs

CLASSES = ("a", "b", "c")
DECISION = Decision(Manifest(CLASSES, Outputs("scores"), DecisionRule(None)))
# Three of five are right; the second and the last are not.
LABELS = np.array([0, 0, 1, 2, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.5, 0.1, 0.4]]
)


def drawn(count: int, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that know something of them, with ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 1, (count, classes))
    logits[np.arange(count), labels] += 1
    found = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 2) + 0.01
    return labels, found / found.sum(axis=1, keepdims=True)


def test_measures_of_a_small_case_computed_by_hand():
    found = measure(LABELS, PROBABILITIES, DECISION)
    assert found.images == 5
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.top_2_accuracy == 1
    assert found.balanced_accuracy == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 1))
    a, b, c = found.by_class
    assert (a.images, a.precision, a.recall, a.f1) == (2, 1 / 2, 1 / 2, 1 / 2)
    assert (b.images, b.precision, b.recall) == (1, 1 / 2, 1)
    assert (c.images, c.precision, c.recall) == (2, 1, 1 / 2)
    assert found.macro_f1 == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    assert found.weighted_f1 == pytest.approx((2 / 2 + 2 / 3 + 2 * 2 / 3) / 5)
    # Of six pairs of a and another, 0.8 wins three; 0.3 loses to 0.5 alone.
    assert a.auc == pytest.approx(5 / 6)
    squares = (0.06, 0.86, 0.14, 0.14, 0.62)
    assert found.brier == pytest.approx(np.mean(squares))
    assert found.log_loss == pytest.approx(-np.mean(np.log([0.8, 0.3, 0.7, 0.7, 0.4])))
    # Bins of the confidences: 0.8; 0.6; 0.7 twice; 0.5.
    assert found.expected_calibration_error == pytest.approx((0.2 + 0.6 + 2 * 0.3 + 0.5) / 5)
    assert found.labelled == found.labelled_accuracy / found.accuracy == 1


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 60))
def test_the_values_of_a_resample_are_those_of_scikit_learn(seed: int, count: int):
    """A resample that holds every image once is the images themselves."""
    labels, probabilities = drawn(count, seed)
    chosen = DECISION.choose(probabilities)
    expected = measures._point(labels, chosen, probabilities)
    found = measures._Values(labels, chosen, probabilities)(np.ones(count))
    for name, value in expected.items():
        if not (name.endswith(("precision", "f1")) and np.isnan(value)):
            assert found[name] == pytest.approx(value, nan_ok=True), name


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_areas_with_counts_are_those_of_the_images_repeated(seed: int):
    rng = np.random.default_rng(seed)
    labels, probabilities = drawn(40, seed)
    counts = rng.integers(0, 4, 40)
    counts[[np.flatnonzero(labels == 0)[0], np.flatnonzero(labels != 0)[0]]] = 1
    truth, scores = labels == 0, probabilities[:, 0]
    area, precision = Ranking(truth, scores).areas(counts.astype(float))
    repeated = np.repeat(truth, counts), np.repeat(scores, counts)
    assert area == pytest.approx(metrics.roc_auc_score(*repeated))
    assert precision == pytest.approx(metrics.average_precision_score(*repeated))


def test_intervals_contain_the_value_and_shrink_with_more_images():
    widths = []
    for count in (60, 600):
        found = measure(*drawn(count), DECISION, Bootstrap(200, 1))
        for value, interval in (
            (found.accuracy, found.accuracy_interval),
            (found.macro_f1, found.macro_f1_interval),
            (found.macro_auc, found.macro_auc_interval),
            (found.brier, found.brier_interval),
            (found.by_class[1].average_precision, found.by_class[1].average_precision_interval),
        ):
            assert interval[0] <= value <= interval[1]
        widths.append(found.accuracy_interval[1] - found.accuracy_interval[0])
    assert widths[1] < widths[0] / 2
    assert measure(*drawn(60), DECISION, Bootstrap(200, 1)) == measure(
        *drawn(60), DECISION, Bootstrap(200, 1)
    )


@pytest.mark.filterwarnings("ignore:.*Mean of empty slice.*")
def test_a_class_without_images_has_no_recall_and_the_others_keep_theirs():
    labels, probabilities = drawn(50)
    labels[labels == 2] = 0
    found = measure(labels, probabilities, DECISION, Bootstrap(20))
    missing = found.by_class[2]
    assert (missing.images, missing.recall, missing.auc) == (0, None, None)
    assert found.macro_auc is None
    assert found.balanced_accuracy == pytest.approx(
        (found.by_class[0].recall + found.by_class[1].recall) / 2
    )


def test_without_images_all_measures_are_none():
    found = measure(np.empty(0, np.intp), np.empty((0, 3)), DECISION, Bootstrap(20))
    assert (found.images, found.accuracy, found.macro_f1, found.labelled) == (0, None, None, None)
    assert found.confusion == ((0, 0, 0),) * 3
    assert calibration_bins(np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, 3))) == ()


def test_images_without_a_label_count_but_not_among_the_labelled():
    labelled = np.array([True, False, True, True, False])
    found = measure(LABELS, PROBABILITIES, DECISION, labelled=labelled)
    assert (found.accuracy, found.labelled, found.labelled_accuracy) == (0.6, 0.6, 1.0)
