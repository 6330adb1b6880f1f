from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.decision import Decision, Scores, decimals
from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.manifest import DecisionRule, Manifest, Outputs

TYPES = ("elliptical", "spiral", "irregular")
shares = st.floats(0, 1, width=32)


def two(threshold: float = 0.5, **rule: object) -> Manifest:
    outputs = Outputs(typicality="typicality") if "ood_limit" in rule else Outputs()
    return Manifest(outputs=outputs, decision=DecisionRule(threshold, **rule))


def three(**rule: object) -> Manifest:
    return Manifest(
        classes=TYPES,
        outputs=Outputs("scores", "typicality"),
        decision=DecisionRule(**({"threshold": None} | rule)),
    )


def decide(manifest: Manifest, output: list[list[float]], typicality: list[float] | None = None):
    decision = Decision(manifest)
    odd = None if typicality is None else np.array(typicality, np.float32)
    return decision.verdicts(decision.probabilities(np.array(output, np.float32)), odd)


def test_only_a_score_above_the_threshold_is_positive():
    below, at, above = decide(two(0.25), [[0.2499], [0.25], [0.2501]])
    assert [below.label, at.label, above.label] == ["Fake", "Fake", "Real"]
    assert [one.score for one in (below, at, above)] == [0.2499, 0.25, 0.2501]


@given(st.lists(shares, min_size=1, max_size=20), shares)
def test_the_score_of_two_classes_is_the_output_to_the_bit(output: list[float], threshold: float):
    decision = Decision(two(), threshold)
    given_ = np.array(output, np.float32)[:, None]
    found = decision.probabilities(given_)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 1], given_[:, 0])
    for verdict, value in zip(decision.verdicts(found), output, strict=True):
        assert np.float32(verdict.score) == np.float32(value)
        assert verdict.label == ("Real" if verdict.score > threshold else "Fake")
        assert verdict.scores["Real"] == verdict.score


def test_with_three_classes_the_most_probable_one_is_the_label():
    first, second, tied = decide(three(), [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.4, 0.4, 0.2]])
    assert [one.label for one in (first, second, tied)] == ["elliptical", "irregular", "elliptical"]
    assert [one.score for one in (first, second)] == [0.7, 0.7]
    assert dict(first.scores) == {"elliptical": 0.7, "spiral": 0.2, "irregular": 0.1}


def test_with_three_classes_a_score_below_the_threshold_is_uncertain():
    sure, unsure = decide(three(threshold=0.6), [[0.6, 0.2, 0.2], [0.5, 0.3, 0.2]])
    assert (sure.status, sure.label) == ("ok", "elliptical")
    assert (unsure.status, unsure.label, unsure.score) == ("uncertain", None, 0.5)


def test_a_score_in_the_abstention_band_is_uncertain():
    found = decide(two(0.5, abstain=(0.4, 0.6)), [[0.39], [0.4], [0.5], [0.6], [0.61]])
    assert [one.status for one in found] == ["ok", "uncertain", "uncertain", "uncertain", "ok"]
    assert [one.label for one in found] == ["Fake", None, None, None, "Real"]
    assert found[1].score == 0.4


def test_another_threshold_removes_the_abstention_band():
    decision = Decision(two(0.5, abstain=(0.4, 0.6)), 0.9)
    (verdict,) = decision.verdicts(decision.probabilities(np.array([[0.5]], np.float32)))
    assert (verdict.status, verdict.label) == ("ok", "Fake")
    assert "abstention band does not apply" in decision.note


def test_the_models_own_threshold_keeps_the_band():
    """Otherwise a resumed run could mix two decisions in one file."""
    decision = Decision(two(0.5, abstain=(0.4, 0.6)), 0.5)
    (verdict,) = decision.verdicts(decision.probabilities(np.array([[0.5]], np.float32)))
    assert (verdict.status, decision.note) == ("uncertain", None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 25.0])
def test_a_typicality_outside_0_to_1_is_a_model_error(value: float):
    with pytest.raises(ModelError, match="typicalities outside 0 to 1"):
        Decision(three()).typicalities(np.array([0.5, value], np.float32))


def test_the_possible_statuses_follow_from_the_rule():
    assert Decision(two()).statuses == ("error",)
    assert Decision(two(0.5, abstain=(0.4, 0.6))).statuses == ("uncertain", "error")
    assert Decision(three(threshold=0.5, ood_limit=0.01)).statuses == (
        "uncertain", "out_of_distribution", "error",
    )  # fmt: skip


@pytest.mark.parametrize("manifest", [two(ood_limit=0.01), three(ood_limit=0.01)])
def test_a_typicality_below_the_limit_is_out_of_distribution(manifest: Manifest):
    width = manifest.score_width
    row = [0.99] if width == 1 else [0.98, 0.01, 0.01]
    found = decide(manifest, [row] * 4, [0.5, 0.01, 0.0099, float("nan")])
    assert [one.status for one in found] == ["ok", "ok", *["out_of_distribution"] * 2]
    assert [one.label is None for one in found] == [False, False, True, True]
    assert found[2].score == row[0]
    assert found[2].typicality == 0.0099


def test_without_a_limit_the_typicality_has_no_effect():
    manifest = Manifest(outputs=Outputs(typicality="typicality"))
    (verdict,) = decide(manifest, [[0.9]], [0.0])
    assert (verdict.status, verdict.typicality) == ("ok", 0.0)


@pytest.mark.parametrize("output", [[[float("nan")]], [[1.5]], [[-0.1]]])
def test_scores_outside_0_to_1_are_a_model_error(output: list[list[float]]):
    with pytest.raises(ModelError, match="outside 0 to 1"):
        Decision(two()).probabilities(np.array(output, np.float32))


def test_scores_that_do_not_add_up_to_1_are_a_model_error():
    with pytest.raises(ModelError, match="add up to 1"):
        Decision(three()).probabilities(np.array([[0.9, 0.9, 0.9]], np.float32))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_outside_0_to_1_is_a_usage_error(threshold: float):
    with pytest.raises(UsageError, match="threshold"):
        Decision(two(), threshold)


def test_no_images_get_no_verdicts():
    decision = Decision(three())
    assert decision.verdicts(decision.probabilities(np.empty((0, 3), np.float32))) == []


def test_scores_are_a_read_only_mapping_that_can_be_pickled():
    scores = Scores(TYPES, [0.5, 0.25, 0.25])
    with pytest.raises(TypeError):
        scores["spiral"] = 1.0
    with pytest.raises(KeyError):
        scores["bar"]
    for again in (pickle.loads(pickle.dumps(scores)), copy.deepcopy(scores)):
        assert again == scores
        assert hash(again) == hash(scores)
    assert dict(Scores(TYPES, None)) == dict.fromkeys(TYPES)


@given(st.lists(st.floats(0, 1, width=32), max_size=8))
def test_decimals_are_the_shortest_of_the_same_float32(values: list[float]):
    array = np.array(values, np.float32)
    found = decimals(array)
    np.testing.assert_array_equal(found.astype(np.float32), array)
    assert all(
        len(repr(float(one))) <= len(repr(float(wide)))
        for one, wide in zip(found, array, strict=True)
    )


def opened(threshold: float = 0.5, name: str = "Fake") -> Manifest:
    return Manifest(
        outputs=Outputs(typicality="typicality"),
        decision=DecisionRule(threshold, ood_limit=0.01, open_class=name),
    )


def test_another_limit_replaces_the_models_and_0_accepts_all():
    scores = np.array([[0.9]] * 3, np.float32)
    typicality = np.array([0.0, 0.02, 0.5], np.float32)
    for limit, odd in ((None, 1), (0.1, 2), (0.0, 0)):
        decision = Decision(two(ood_limit=0.01), ood_limit=limit)
        found = decision.verdicts(decision.probabilities(scores), typicality)
        assert [one.status for one in found].count("out_of_distribution") == odd
        assert decision.ood_limit == (0.01 if limit is None else limit or None)
    with pytest.raises(UsageError, match="computes no typicality"):
        Decision(two(), ood_limit=0.1)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="out-of-distribution limit"):
            Decision(two(ood_limit=0.01), ood_limit=wrong)


@pytest.mark.parametrize(("name", "lower"), [("Fake", 0.3), ("Real", 0.7)])
def test_another_threshold_never_gives_the_closed_class_by_the_open_ones_typicality(
    name: str, lower: float
):
    """At 0.5, the file took the typicality of the open class; a row must not say otherwise."""
    decision = Decision(opened(name=name), lower)
    scores = np.array([[0.2], [0.3], [0.4], [0.5], [0.6], [0.7], [0.8]], np.float32)
    found = decision.verdicts(decision.probabilities(scores), np.full(7, 0.9, np.float32))
    labels = [one.label or one.status for one in found]
    if name == "Fake":
        assert labels == ["Fake"] * 2 + ["uncertain"] * 2 + ["Real"] * 3
    else:
        assert labels == ["Fake"] * 4 + ["uncertain"] * 2 + ["Real"]
    assert decision.statuses == ("uncertain", "out_of_distribution", "error")
    assert f"are uncertain: the file has the typicality of {name} there" in str(decision.note)
    # In the other direction the file has the closed class's, which is stricter.
    assert Decision(opened(name=name), 1 - lower).note is None
    # Without a limit, the typicality does not count.
    assert Decision(opened(name=name), lower, ood_limit=0.0).note is None
