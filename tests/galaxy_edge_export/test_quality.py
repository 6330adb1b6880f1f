"""What an export says of the training's quality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from galaxy_edge_export.quality import described

Cli = Callable[..., tuple[int, str, str]]


def metrics(wrong: int, error: float | None = 0.02) -> dict[str, Any]:
    """Of 60 fakes and 40 reals, of which so many are called fake."""
    return {
        "accuracy": (100 - wrong) / 100,
        "confusion": {"Fake": {"Fake": 60, "Real": 0}, "Real": {"Fake": wrong, "Real": 40 - wrong}},
        "expected_calibration_error": error,
    }


@pytest.mark.parametrize(("wrong", "careful"), [(40, True), (36, True), (20, False), (0, False)])
def test_a_network_near_chance_is_reported(wrong: int, careful: bool):
    first, *rest = described({"Valid": metrics(wrong)}, {"config": {"calibrate": True}})
    assert first == (
        f"Valid, 100 images, as `train` measured: accuracy {100 - wrong:.2f}% (the answer Fake "
        "for every image: 60.00%), calibration error 0.020"
    )
    assert [line.startswith("careful: on Valid") for line in rest] == [True] * careful


def test_few_images_show_nothing():
    few = {"accuracy": 1.0, "confusion": {"a": {"a": 2, "b": 0}, "b": {"a": 0, "b": 2}}}
    first, second = described({"Test": few}, {"config": {"calibrate": True}})
    assert "calibration error" not in first
    assert second.startswith("careful: on Test this is not shown to be better")


@pytest.mark.parametrize("training", [{}, {"config": {}}, {"config": {"calibrate": False}}])
def test_scores_that_are_not_calibrated_are_named(training: dict[str, Any]):
    *_, last = described({"Valid": metrics(5)}, training)
    assert last.startswith("the scores are not calibrated")


def test_a_run_without_a_confusion_table_is_exported_all_the_same():
    assert described({"Valid": {"accuracy": 0.9}}, {"config": {"calibrate": True}}) == ()


def test_without_a_recorded_training_it_says_nothing():
    assert described({}, {}) == ()


def test_every_export_of_a_run_says_it(run_folder: Path, tmp_path: Path, cli: Cli):
    code, _, err = cli("export", run_folder, "-o", tmp_path / "m.onnx", "--no-typicality")
    assert code == 0
    assert "Valid, " in err
    assert " images, as `train` measured: accuracy " in err
    assert "the scores are not calibrated" in err
