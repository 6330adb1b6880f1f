"""Which runtimes the benchmark against others lets take part: benchmarks/agreement.py."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.agreement import objection

COUNT = 1000
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, COUNT, dtype=np.uint8)
#: All verdicts are right, with 0.4 between them and the threshold.
KERAS = np.where(LABELS == 1, 0.9, 0.1).astype(np.float32)


def flipped(count: int) -> np.ndarray:
    scores = KERAS.copy()
    scores[:count] = 1 - scores[:count]
    return scores


@pytest.mark.parametrize("exact", [True, False])
def test_the_same_scores_are_let_in(exact: bool):
    assert objection(KERAS, KERAS, LABELS, exact=exact) is None


def test_float_scores_are_held_to_a_tolerance():
    assert objection(KERAS + np.float32(5e-5), KERAS, LABELS, exact=True) is None
    assert "differs by 2.0e-04" in str(
        objection(KERAS + np.float32(2e-4), KERAS, LABELS, exact=True)
    )
    assert objection(KERAS + np.float32(0.05), KERAS, LABELS, exact=False) is None


def test_rounded_scores_are_held_to_the_verdicts():
    assert "1.10%" in str(objection(flipped(11), KERAS, LABELS, exact=False))
    # Ten wrong verdicts of a thousand are few enough to differ, and too many to lose.
    assert "accuracy" in str(objection(flipped(10), KERAS, LABELS, exact=False))
    assert objection(flipped(4), KERAS, LABELS, exact=False) is None
    # As many gained are no loss.
    assert objection(KERAS, flipped(10), LABELS, exact=False) is None


@pytest.mark.parametrize("exact", [True, False])
def test_what_is_no_score_is_refused(exact: bool):
    rubbish = KERAS.copy()
    rubbish[3] = np.nan
    assert objection(rubbish, KERAS, LABELS, exact=exact) is not None
    assert objection(KERAS[:, None], KERAS, LABELS, exact=exact) is not None
