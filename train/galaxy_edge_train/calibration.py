"""Temperature scaling: makes the score a probability, and is folded into the last layer."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

#: A temperature at these limits means that no finite one is best: all verdicts are right, or the
#: scores carry no information.
_RANGE = (0.05, 20.0)


def temperature(scores: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> float:
    """The temperature that maximises the likelihood (Guo et al. 2017, arXiv:1706.04599).

    Args:
        scores: float32 [N], P(positive), 0 to 1.
        labels: uint8 [N], 0 or 1.

    Returns:
        T in sigmoid(logit / T). It is above 1 if the scores are overconfident. It is 1, which
        changes nothing, if all verdicts are right or the scores carry no information, because then
        no finite T maximises the likelihood.
    """
    logits = _logits(scores)
    signed = np.where(labels == 1, -logits, logits)

    def negative_log_likelihood(log_temperature: float) -> float:
        return float(np.mean(np.logaddexp(0, signed / np.exp(log_temperature))))

    return _best(negative_log_likelihood)


def cross_calibrate(
    scores: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Calibrate scores of even index by a temperature fitted on those of odd index, and vice versa.

    No score is used to fit its own temperature, so the result is a fair test of the calibration.

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


def class_temperature(
    probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> float:
    """The same for three or more classes: T in softmax(logits / T).

    Args:
        probabilities: float32 [N, C], 0 to 1.
        labels: uint8 [N], indices of classes.
    """
    logits = np.log(np.clip(probabilities.astype(np.float64), 1e-7, 1))
    own = logits[np.arange(len(labels)), labels]

    def negative_log_likelihood(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float(np.mean(logsumexp(logits * scale, axis=1) - own * scale))

    return _best(negative_log_likelihood)


def cross_calibrate_classes(
    probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """The same as `cross_calibrate` for three or more classes: float64 [N, C]."""
    calibrated = np.empty(probabilities.shape)
    even, odd = slice(0, None, 2), slice(1, None, 2)
    for own, other in ((even, odd), (odd, even)):
        logits = np.log(np.clip(probabilities[own].astype(np.float64), 1e-7, 1))
        found = class_temperature(probabilities[other], labels[other])
        calibrated[own] = softmax(logits / found, axis=1)
    return calibrated


def _best(negative_log_likelihood: Callable[[float], float]) -> float:
    found = minimize_scalar(negative_log_likelihood, bounds=tuple(np.log(_RANGE)), method="bounded")
    inside_range = _RANGE[0] * 1.01 < np.exp(found.x) < _RANGE[1] / 1.01
    return float(np.exp(found.x)) if inside_range else 1.0


def _logits(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    inside = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(inside / (1 - inside))


def fold(model: keras.Model, temperature: float) -> None:
    """Divide the logits by changing the weights of the last layer, which must be dense."""
    last = model.layers[-1]
    last.set_weights([weight / np.float32(temperature) for weight in last.get_weights()])
