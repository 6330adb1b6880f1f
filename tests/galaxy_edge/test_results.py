from __future__ import annotations

import dataclasses
import pickle

from hypothesis import given

from galaxy_edge.results import Prediction, Tally, columns
from tests.galaxy_edge.outputs.strategies import MANY, PAIR, predictions


def test_the_columns_are_the_documented_ones():
    assert columns(PAIR) == (
        "id", "path", "status", "error", "label", "score", "typicality", "threshold", "model",
        "model_sha256", "provider", "sha256",
    )  # fmt: skip
    assert columns(("a", "b", "c")) == (
        "id", "path", "status", "error", "label", "score", "p_a", "p_b", "p_c", "typicality",
        "threshold", "model", "model_sha256", "provider", "sha256",
    )  # fmt: skip


@given(predictions())
def test_every_row_has_the_columns_of_its_classes(rows: list[Prediction]):
    for prediction in rows:
        assert tuple(prediction.row()) == columns(tuple(prediction.scores))
        assert tuple(prediction.scores) in (PAIR, MANY)


@given(predictions())
def test_predictions_can_be_pickled_and_hashed(rows: list[Prediction]):
    """They can be sent to another process, put into a set, and converted to a dictionary."""
    assert pickle.loads(pickle.dumps(rows)) == rows
    assert set(rows) == {*rows}
    assert [dataclasses.asdict(one)["scores"] for one in rows] == [one.scores for one in rows]


@given(predictions())
def test_a_tally_counts_statuses_and_labels(rows: list[Prediction]):
    tally = Tally()
    for one in rows:
        tally.add(one.status, one.label)
    assert tally.total == len(rows)
    assert tally.failed == sum(one.status == "error" for one in rows)
    assert tally.labels.total() == sum(one.status == "ok" for one in rows)
