"""Measures of how well scores separate the two classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from galaxy_edge.evaluation.measures import bins, calibration_error


def measure(
    labels: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32], threshold: float = 0.5
) -> dict[str, float | int]:
    """Metrics of one split.

    Args:
        labels: [N], 0 or 1, both present.
        scores: [N], P(positive).
        threshold: a score above this is a positive verdict.

    Returns:
        Number of images, accuracy, balanced accuracy, AUC, log loss, Brier score, expected
        calibration error, and the four counts. "Positive" is the second class.
    """
    verdicts = scores > threshold
    negative_right, negative_wrong, positive_wrong, positive_right = (
        int(count) for count in metrics.confusion_matrix(labels, verdicts, labels=[0, 1]).ravel()
    )
    wide = scores.astype(np.float64)
    return {
        "images": len(labels),
        "accuracy": float(metrics.accuracy_score(labels, verdicts)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(labels, verdicts)),
        "auc": float(metrics.roc_auc_score(labels, wide)),
        "log_loss": float(metrics.log_loss(labels, wide, labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(labels, wide)),
        "expected_calibration_error": calibration_error(bins(labels, wide)),
        "true_negatives": negative_right,
        "false_positives": negative_wrong,
        "false_negatives": positive_wrong,
        "true_positives": positive_right,
    }
