from __future__ import annotations

import numpy as np
import pytest

from galaxy_edge.decision import Decision
from galaxy_edge.engine.session import Result
from galaxy_edge.errors import GateError
from galaxy_edge.manifest import Manifest
from galaxy_edge_export import gates
from galaxy_edge_export.config import Limits
from galaxy_edge_export.gates import check_parity, failures, measure_cost

LABELS = np.repeat(np.array([0, 1], np.uint8), 500)
GOOD = np.where(LABELS == 1, np.linspace(0.6, 0.9, 1000), np.linspace(0.1, 0.4, 1000)).astype(
    np.float32
)


def cost_of(labels: np.ndarray, fp32: np.ndarray, int8: np.ndarray) -> gates.Cost:
    """The cost, from P(positive) of either file."""
    both = [np.stack([1 - scores, scores], axis=1) for scores in (fp32, int8)]
    return measure_cost(labels, *both, Decision(Manifest()))


def test_equal_scores_have_no_cost():
    cost = cost_of(LABELS, GOOD, GOOD)
    assert (cost.accuracy_drop, cost.flips, cost.auc_drop) == (0, 0, 0)
    assert failures(cost, 2.0, Limits(0, 0, 0)) == []


def test_flipped_verdicts_are_counted_in_percent():
    worse = GOOD.copy()
    worse[:3] = 0.55
    cost = cost_of(LABELS, GOOD, worse)
    assert cost.flips == pytest.approx(0.3)
    assert cost.accuracy_drop == pytest.approx(0.3)
    (failure,) = failures(cost, 2.0, Limits(accuracy_drop=0.2, flips=0.5, auc_drop=1))
    assert "accuracy" in failure
    assert failures(cost, 2.0, Limits(0.3, 0.3, 1)) == []


def test_a_failure_names_its_option_and_says_when_images_are_few():
    few = gates.Cost(200, 90.0, 89.5, 0.9, 0.9, 0.5)
    first, second = failures(few, 2.0, Limits())
    assert "(limit 0.2, --max-accuracy-drop)" in first
    assert "only 200 validation images" in second
    assert "0.5 percent" in second
    many = gates.Cost(2000, 90.0, 89.5, 0.9, 0.9, 0.5)
    assert len(failures(many, 2.0, Limits())) == 1


def test_a_gain_passes_although_verdicts_flip():
    poor = GOOD.copy()
    poor[:4] = 0.99
    cost = cost_of(LABELS, poor, GOOD)
    assert cost.accuracy_drop < 0
    assert cost.auc_drop < 0
    assert failures(cost, 2.0, Limits()) == []


def test_a_lower_auc_fails_although_no_verdict_flips():
    squeezed = np.where(GOOD > 0.5, 0.7, 0.3).astype(np.float32)
    squeezed[LABELS == 1] -= np.linspace(0, 0.1, 500, dtype=np.float32)
    labels = LABELS.copy()
    labels[0] = 1
    cost = cost_of(labels, GOOD, squeezed)
    assert cost.flips == 0
    assert len(failures(cost, 2.0, Limits(auc_drop=-1))) == 1


def test_a_cost_of_nan_fails():
    cost = gates.Cost(1000, 50.0, float("nan"), 0.5, 0.5, 0.0)
    assert len(failures(cost, 2.0, Limits())) == 1


@pytest.mark.parametrize("speedup", [0.99, float("nan")])
def test_a_slower_file_fails(speedup: float):
    cost = cost_of(LABELS, GOOD, GOOD)
    (failure,) = failures(cost, speedup, Limits())
    assert "times as fast" in failure
    assert failures(cost, 1.0, Limits()) == []


def all_half(images: np.ndarray) -> np.ndarray:
    return np.full((len(images), 1), 0.5, np.float32)


class Shifted:
    """A session whose scores differ from `all_half` by a constant."""

    def __init__(self, by: float) -> None:
        self.by = by

    def run(self, images: np.ndarray) -> Result:
        return Result(np.full((len(images), 2), 0.5 + self.by, np.float32))


@pytest.mark.parametrize("by", [2e-5, float("nan")])
def test_a_float_file_that_differs_from_keras_is_refused(by: float):
    images = np.zeros((32, 4, 4, 3), np.uint8)
    assert check_parity(all_half, Shifted(0), images) == 0
    with pytest.raises(GateError, match="batch size 1"):
        check_parity(all_half, Shifted(by), images)


def test_every_class_is_compared():
    class OffInOneClass(Shifted):
        def run(self, images: np.ndarray) -> Result:
            return Result(np.tile(np.float32([0.4, 0.3, 0.3]), (len(images), 1)))

    def keras(images: np.ndarray) -> np.ndarray:
        return np.tile(np.float32([0.4, 0.2, 0.4]), (len(images), 1))

    images = np.zeros((32, 4, 4, 3), np.uint8)
    with pytest.raises(GateError, match="differs from Keras by 1"):
        check_parity(keras, OffInOneClass(0), images)


def test_a_difference_at_only_one_batch_size_is_found():
    class OffAtSeven(Shifted):
        def run(self, images: np.ndarray) -> Result:
            return Result(super().run(images).scores + np.float32(0.1 * (len(images) == 7)))

    with pytest.raises(GateError, match="batch size 7"):
        check_parity(all_half, OffAtSeven(0), np.zeros((32, 4, 4, 3), np.uint8))


def test_a_difference_on_one_validation_image_is_found():
    drawn = np.zeros((32, 4, 4, 3), np.uint8)
    real = np.zeros((70, 4, 4, 3), np.uint8)
    real[69] = 1

    class OffOnOne(Shifted):
        def run(self, images: np.ndarray) -> Result:
            return Result(super().run(images).scores + np.float32(0.1) * images[:, :1, 0, 0])

    assert check_parity(all_half, OffOnOne(0), drawn) == 0
    with pytest.raises(GateError, match="batch size 6"):
        check_parity(all_half, OffOnOne(0), drawn, validation=real)
