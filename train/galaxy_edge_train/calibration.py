"""A temperature, so that the score is a probability, folded into the last layer."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

#: Temperatures beyond these mean that there is nothing to calibrate: all right or all wrong.
_RANGE = (0.05, 20.0)


def temperature(scores: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> float:
    """The temperature that makes scores likeliest (Guo et al. 2017, arXiv:1706.04599).

    Args:
        scores: float32 [N], P(positive), 0 to 1.
        labels: uint8 [N], 0 or 1.

    Returns:
        T of sigmoid(logit / T); above 1 where the scores were too sure. 1, which changes nothing,
        where all verdicts are right or the scores say nothing: no T is likeliest then.
    """
    logits = _logits(scores)
    signed = np.where(labels == 1, -logits, logits)

    def surprise(log_temperature: float) -> float:
        return float(np.mean(np.logaddexp(0, signed / np.exp(log_temperature))))

    found = minimize_scalar(surprise, bounds=tuple(np.log(_RANGE)), method="bounded")
    inside_range = _RANGE[0] * 1.01 < np.exp(found.x) < _RANGE[1] / 1.01
    return float(np.exp(found.x)) if inside_range else 1.0


def calibrated_by_others(
    scores: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Calibrate each half of the scores, every other one, with the temperature of the other half.

    A temperature is no test of the scores it was fitted on; these scores are of no part in it.

    Args:
        scores: float32 [N], P(positive), 0 to 1, N at least 2.
        labels: uint8 [N], 0 or 1.

    Returns:
        float64 [N], P(positive).
    """
    calibrated = np.empty(len(scores))
    even, odd = slice(0, None, 2), slice(1, None, 2)
    for own, other in ((even, odd), (odd, even)):
        logits = _logits(scores[own]) / temperature(scores[other], labels[other])
        calibrated[own] = 1 / (1 + np.exp(-logits))
    return calibrated


def _logits(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    inside = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(inside / (1 - inside))


def fold(model: keras.Model, temperature: float) -> None:
    """Divide the logits of a model whose last layer is dense: no step is added to it."""
    last = model.layers[-1]
    last.set_weights([weight / np.float32(temperature) for weight in last.get_weights()])
