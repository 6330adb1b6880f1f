"""The numbers of an evaluation, compared with cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galaxy_edge.decision import Decision
from galaxy_edge.errors import UsageError
from galaxy_edge.evaluation.bootstrap import Bootstrap
from galaxy_edge.evaluation.evaluation import evaluate
from galaxy_edge.evaluation.measures import bins, calibration_error, measure, measure_sources
from galaxy_edge.evaluation.sources import Labelled, LabelledSource
from galaxy_edge.manifest import Manifest
from tests.galaxy_edge.evaluation.conftest import stub

BOOTSTRAP = Bootstrap(200, 0)
# Two of three fakes are classified correctly, and one of two reals.
DECISION = Decision(Manifest())
LABELS = np.array([0, 0, 0, 1, 1], np.uint8)
SCORES = np.array([0.1, 0.2, 0.9, 0.3, 0.8])


def test_measures_of_a_small_case_computed_by_hand():
    found = measure(LABELS, SCORES, DECISION, BOOTSTRAP)
    assert found.images == 5
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.precision == pytest.approx((2 / 3, 1 / 2))
    assert found.recall == pytest.approx((2 / 3, 1 / 2))
    assert found.confusion == ((2, 1), (1, 1))
    # There are six pairs; 0.3 is above two fakes and 0.8 is above two.
    assert found.auc == pytest.approx(4 / 6)
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.81 + 0.49 + 0.04) / 5)
    # Each score has a bin of its own.
    assert found.expected_calibration_error == pytest.approx((0.1 + 0.2 + 0.9 + 0.7 + 0.2) / 5)


def test_a_score_equal_to_the_threshold_is_negative():
    decision = Decision(Manifest(), 0.8)
    assert measure(LABELS, SCORES, decision, BOOTSTRAP).confusion == ((2, 1), (2, 0))
    assert measure_sources([(1, SCORES[LABELS == 1])], decision, BOOTSTRAP)[0].accuracy == 0


def test_calibration_error_is_weighted_by_the_images_in_each_bin():
    # Three images in the first bin, one of them positive; one positive image in the last bin.
    labels = np.array([0, 0, 1, 1], np.uint8)
    scores = np.array([0.01, 0.02, 0.03, 0.97])
    first, last = bins(labels, scores)
    assert (first.images, last.images) == (3, 1)
    assert (first.mean_score, first.positive) == pytest.approx((0.02, 1 / 3))
    assert (first.low, last.high) == (0, 1)
    assert calibration_error((first, last)) == pytest.approx(
        3 / 4 * (1 / 3 - 0.02) + 1 / 4 * (1 - 0.97)
    )


def test_scores_of_0_and_1_have_a_bin():
    first, last = bins(np.array([0, 1], np.uint8), np.array([0.0, 1.0]))
    assert (first.images, last.images) == (1, 1)
    assert calibration_error((first, last)) == 0


def test_measures_of_sources_computed_by_hand():
    fakes, reals = np.array([0.1, 0.7]), np.array([0.6, 0.8, 0.9])
    fake, real = measure_sources([(0, fakes), (1, reals)], DECISION, BOOTSTRAP)
    assert (fake.images, fake.accuracy, fake.positive_share) == (2, 0.5, 0.5)
    assert fake.mean_score == pytest.approx(0.4)
    assert fake.auc == pytest.approx(5 / 6)
    assert (real.accuracy, real.auc) == (1.0, pytest.approx(5 / 6))


@pytest.mark.parametrize("label", [0, 1])
def test_without_one_class_the_measures_that_need_both_are_none(label: int):
    found = measure(np.full(3, label, np.uint8), np.array([0.2, 0.6, 0.7]), DECISION, BOOTSTRAP)
    assert found.accuracy == pytest.approx((1 / 3, 2 / 3)[label])
    assert found.recall[label] == found.accuracy
    assert found.recall[1 - label] is None
    assert found.brier is not None
    assert found.accuracy_interval is not None
    for name in ("auc", "auc_interval", "balanced_accuracy", "expected_calibration_error"):
        assert getattr(found, name) is None
    assert found.precision == (None, None)


def test_without_images_all_measures_are_none():
    nothing = np.empty(0)
    found = measure(nothing.astype(np.uint8), nothing, DECISION, BOOTSTRAP)
    assert found.images == 0
    assert found.confusion == ((0, 0), (0, 0))
    assert (found.accuracy, found.brier, found.accuracy_interval) == (None, None, None)
    assert measure_sources([(0, nothing)], DECISION, BOOTSTRAP)[0].accuracy is None


def test_precision_of_a_class_that_is_never_predicted_is_none():
    found = measure(np.array([0, 1], np.uint8), np.array([0.1, 0.2]), DECISION, BOOTSTRAP)
    assert found.precision == (0.5, None)
    assert found.recall == (1.0, 0.0)


def _drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(7)
    return draw.beta(2, 4, count), draw.beta(4, 2, count)


def test_intervals_contain_the_value_and_shrink_with_more_images():
    widths = []
    for count in (50, 5000):
        fakes, reals = _drawn(count)
        labels = np.repeat(np.array([0, 1], np.uint8), count)
        found = measure(labels, np.concatenate([fakes, reals]), DECISION, Bootstrap(500, 1))
        for value, (low, high) in (
            (found.accuracy, found.accuracy_interval), (found.auc, found.auc_interval),
        ):  # fmt: skip
            assert low < value < high
            widths.append(high - low)
    # With a hundred times the images, the width is a tenth.
    assert widths[2] == pytest.approx(widths[0] / 10, rel=0.3)
    assert widths[3] == pytest.approx(widths[1] / 10, rel=0.3)


def test_intervals_agree_with_resampling_the_images():
    """Compared with the textbook bootstrap, with scikit-learn's AUC of each resample."""
    from sklearn.metrics import roc_auc_score

    fakes, reals = np.round(_drawn(60), 1)  # with ties
    draw = np.random.default_rng(3)
    areas, shares = [], []
    for _ in range(2000):
        low, high = draw.choice(fakes, 60), draw.choice(reals, 60)
        areas.append(roc_auc_score(np.repeat([0, 1], 60), np.concatenate([low, high])))
        shares.append(np.mean(np.concatenate([low <= 0.5, high > 0.5])))
    bootstrap = Bootstrap(2000, 0)
    correct = [(int(np.sum(fakes <= 0.5)), 60), (int(np.sum(reals > 0.5)), 60)]
    ends = [0.025, 0.975]
    assert bootstrap.auc(fakes, reals) == pytest.approx(np.quantile(areas, ends), abs=0.01)
    assert bootstrap.accuracy(correct) == pytest.approx(np.quantile(shares, ends), abs=0.02)


def test_an_interval_contains_95_percent():
    low, high = Bootstrap(20_000, 0).accuracy([(2_000, 5_000), (3_000, 5_000)])
    # 1.96 standard deviations of a normal distribution; the variance of a share is p (1 - p) / n.
    half = 1.96 * (0.4 * 0.6 / 10_000) ** 0.5
    assert (0.5 - low, high - 0.5) == pytest.approx((half, half), rel=0.04)


@pytest.mark.parametrize("at_once", [1, 1000, 2**21])
def test_the_interval_of_a_source_does_not_depend_on_other_sources(
    monkeypatch: pytest.MonkeyPatch, at_once: int
):
    fakes, reals = np.round(_drawn(50), 1)  # with ties
    sources = [fakes[:20], fakes[20:], np.empty(0), fakes[:7]]
    expected = [Bootstrap(30, 2).auc(scores, reals) for scores in sources]
    monkeypatch.setattr("galaxy_edge.evaluation.bootstrap._AT_ONCE", at_once)
    bootstrap = Bootstrap(30, 2)
    assert bootstrap.aucs(0, sources, reals) == expected
    assert expected[2] is None
    # An interval is the same whichever of the two classes is the source.
    for scores, interval in zip(sources, expected, strict=True):
        if interval is not None:
            assert bootstrap.aucs(1, [reals], scores) == [interval]
    assert bootstrap.aucs(1, [reals], np.empty(0)) == [None]


def test_perfect_scores_have_intervals_without_width():
    found = measure(LABELS, LABELS.astype(np.float64), DECISION, BOOTSTRAP)
    assert found.accuracy_interval == (1, 1)
    assert found.auc_interval == (1, 1)


def test_intervals_depend_only_on_the_seed():
    fakes, reals = _drawn(40)
    assert Bootstrap(100, 0).auc(fakes, reals) == Bootstrap(100, 0).auc(fakes, reals)
    assert Bootstrap(100, 0).auc(fakes, reals) != Bootstrap(100, 1).auc(fakes, reals)


def test_without_resamples_there_are_no_intervals():
    found = measure(LABELS, SCORES, DECISION, Bootstrap(0))
    assert (found.auc_interval, found.accuracy_interval) == (None, None)
    assert found.auc is not None


@pytest.mark.parametrize("options", [{"resamples": -1}, {"seed": -1}])
def test_negative_bootstrap_options_are_an_error(options: dict[str, int]):
    with pytest.raises(UsageError, match="0"):
        Bootstrap(**options)


score = st.none() | st.floats(0, 1, width=32)
source = st.tuples(st.integers(0, 1), st.lists(score, min_size=1, max_size=6))


@settings(max_examples=60, deadline=None)
@given(st.lists(source, min_size=1, max_size=5), st.floats(0, 1))
def test_the_sources_add_up_to_the_total(drawn, threshold):
    drawn.sort(key=lambda pair: pair[0])
    known: dict[str, float | None] = {}
    sources = []
    for number, (label, scores) in enumerate(drawn):
        paths = [f"{number}/{place}" for place in range(len(scores))]
        known |= dict(zip(paths, scores, strict=True))
        sources.append(LabelledSource(str(number), label, tuple(paths)))
    labelled = Labelled((), None, tuple(sources), ())
    found = evaluate(stub(known, threshold), "data", labelled, Bootstrap(0))
    document = found.document()
    by_source = document["sources"]
    total = document["overall"]
    assert sum(one["images"] for one in by_source) == total["images"] == document["data"]["scored"]
    assert sum(one["unreadable"] for one in by_source) == len(document["data"]["unreadable"])
    assert document["data"]["images"] == len(known)
    assert sum(one["images"] for one in document["reliability"]) in (0, total["images"])
    for name in ("Fake", "Real"):
        mine = [one for one in by_source if one["class"] == name and one["images"]]
        row = total["confusion"][name]
        assert sum(one["images"] for one in mine) == sum(row.values())
        called = sum(one["images"] * one["positive_share"] for one in mine)
        assert called == pytest.approx(row["Real"])
        if mine:
            right = sum(one["images"] * one["accuracy"] for one in mine)
            assert right / sum(row.values()) == pytest.approx(total["recall"][name])


def test_images_without_a_label_count_but_not_among_the_labelled():
    labelled = np.array([True, True, False, True, True])
    found = measure(LABELS, SCORES, DECISION, labelled=labelled)
    assert found.accuracy == pytest.approx(3 / 5)
    assert (found.labelled, found.labelled_accuracy) == (4 / 5, 3 / 4)
    whole = measure(LABELS, SCORES, DECISION)
    assert (whole.labelled, whole.labelled_accuracy) == (1, whole.accuracy)
