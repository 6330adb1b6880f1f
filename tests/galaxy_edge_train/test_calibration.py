"""The temperature is found, and folding it only divides the logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from galaxy_edge_train import networks  # noqa: E402
from galaxy_edge_train.calibration import cross_calibrate, fold, temperature  # noqa: E402
from galaxy_edge_train.config import NetworkConfig  # noqa: E402
from tests.conftest import TINY, make_data  # noqa: E402

Cli = Callable[..., tuple[int, str, str]]


def logit(scores: np.ndarray) -> np.ndarray:
    return np.log(scores / (1 - scores))


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_miscalibrated_scores_is_found(true: float):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 50_000)
    labels = (rng.random(50_000) < 1 / (1 + np.exp(-logits))).astype(np.uint8)
    scores = (1 / (1 + np.exp(-logits * true))).astype(np.float32)
    assert temperature(scores, labels) == pytest.approx(true, rel=0.03)


def test_perfect_and_always_wrong_scores_are_left_alone():
    """No finite temperature maximises the likelihood of either."""
    scores = np.array([0.1, 0.2, 0.8, 1.0], np.float32)
    labels = np.array([0, 0, 1, 1], np.uint8)
    assert temperature(scores, labels) == 1
    assert temperature(scores, 1 - labels) == 1


def test_even_and_odd_scores_are_calibrated_by_each_other():
    """The even scores are overconfident by a factor of 3; the odd ones are calibrated."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 50_000)
    labels = (rng.random(50_000) < 1 / (1 + np.exp(-logits))).astype(np.uint8)
    given = np.where(np.arange(50_000) % 2, logits, 3 * logits)
    found = logit(cross_calibrate((1 / (1 + np.exp(-given))).astype(np.float32), labels))
    assert np.median(found[::2] / given[::2]) == pytest.approx(1, rel=0.05)
    assert np.median(found[1::2] / given[1::2]) == pytest.approx(1 / 3, rel=0.05)


def test_folding_divides_the_logits():
    keras.utils.set_random_seed(0)
    model = networks.build(NetworkConfig(filters=(4,), dense_units=8), 16)
    images = np.random.default_rng(0).random((32, 16, 16, 3), dtype=np.float32)
    before = model.predict(images, verbose=0)
    fold(model, 2.5)
    after = model.predict(images, verbose=0)
    assert np.allclose(logit(after), logit(before) / 2.5, atol=1e-4)


def test_a_calibrated_run_keeps_its_ranking_and_records_its_temperature(tmp_path: Path, cli: Cli):
    data = make_data(tmp_path / "data")
    metrics = []
    for name, options in (("plain", ()), ("calibrated", ("--calibrate",))):
        run = tmp_path / name
        assert cli("train", data, "-o", run, *TINY, "--epochs", 2, *options)[0] == 0
        metrics.append(json.loads((run / "metrics.json").read_text()))
    plain, calibrated = metrics
    assert "temperature" not in plain
    assert calibrated["temperature"] != 1.0
    assert 0 <= calibrated["held_out_calibration_error"] <= 1
    assert 0 <= calibrated["Valid"]["expected_calibration_error"] <= 1
    assert calibrated["Valid"]["auc"] == plain["Valid"]["auc"]
    assert calibrated["Valid"]["log_loss"] < plain["Valid"]["log_loss"]
