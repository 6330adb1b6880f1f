"""What scores say of a model: point values by scikit-learn, intervals by the bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.calibration import calibration_curve

from galaxy_edge.evaluation.bootstrap import Bootstrap, Interval, Scores

Labels: TypeAlias = npt.NDArray[np.uint8]
Pair: TypeAlias = tuple[float | None, float | None]

#: Bins of the reliability diagram, as many as Guo et al. 2017 take.
BINS = 15


@dataclass(frozen=True, slots=True)
class Measures:
    """How well all scores together tell the classes apart. None: without meaning here.

    Attributes:
        images: number of scores.
        accuracy: share of right verdicts; it depends on how many images of each class there are.
        accuracy_interval: its bootstrap interval.
        balanced_accuracy: mean recall of the classes; None unless both are there.
        auc: area under the ROC curve; None unless both classes are there.
        auc_interval: its bootstrap interval.
        brier: mean squared difference of score and class, 0 to 1 (Brier 1950).
        expected_calibration_error: see `calibration_error`; None unless both classes are there.
        precision: of each class: share of the images called so that are; None unless both classes
            are there and some are called so.
        recall: of each class: share of its images called so; None for one that is not there.
        confusion: for each class, how many of its images are called negative and positive.
    """

    images: int
    accuracy: float | None
    accuracy_interval: Interval | None
    balanced_accuracy: float | None
    auc: float | None
    auc_interval: Interval | None
    brier: float | None
    expected_calibration_error: float | None
    precision: Pair
    recall: Pair
    confusion: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SourceMeasures:
    """How well the images of one source are recognised. None: without meaning here.

    Attributes:
        images: number of scores.
        accuracy: share of right verdicts: the recall of its class from this source.
        accuracy_interval: its bootstrap interval.
        mean_score: mean P(positive).
        positive_share: share called positive.
        auc: area under the ROC curve against all images of the other class.
        auc_interval: its bootstrap interval.
    """

    images: int
    accuracy: float | None
    accuracy_interval: Interval | None
    mean_score: float | None
    positive_share: float | None
    auc: float | None
    auc_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose scores are alike.

    Attributes:
        low: scores are above it (the first bin has 0 as well).
        high: scores are at most this.
        images: how many, at least one.
        mean_score: their mean P(positive).
        positive: share of them that are positive.
    """

    low: float
    high: float
    images: int
    mean_score: float
    positive: float


def measure(labels: Labels, scores: Scores, threshold: float, bootstrap: Bootstrap) -> Measures:
    """Measure all images together.

    Args:
        labels: [N], 0 or 1; N may be 0, and a class may be missing.
        scores: [N], P(positive), 0 to 1.
        threshold: a score above it is a positive verdict.
        bootstrap: how intervals are made.
    """
    both = len(np.unique(labels)) == 2
    verdicts = scores > threshold
    # Without images scikit-learn refuses.
    table = (
        metrics.confusion_matrix(labels, verdicts, labels=[0, 1])
        if len(labels)
        else np.zeros((2, 2))
    )
    (true_negative, false_positive), (false_negative, true_positive) = table.astype(int).tolist()
    precision, recall = _precision_and_recall(labels, verdicts)
    right = [
        (true_negative, true_negative + false_positive),
        (true_positive, false_negative + true_positive),
    ]
    return Measures(
        images=len(labels),
        accuracy=float(metrics.accuracy_score(labels, verdicts)) if len(labels) else None,
        accuracy_interval=bootstrap.accuracy(right),
        balanced_accuracy=(
            float(metrics.balanced_accuracy_score(labels, verdicts)) if both else None
        ),
        auc=float(metrics.roc_auc_score(labels, scores)) if both else None,
        auc_interval=bootstrap.auc(scores[labels == 0], scores[labels == 1]),
        brier=(
            float(metrics.brier_score_loss(labels, scores, pos_label=1)) if len(labels) else None
        ),
        expected_calibration_error=calibration_error(bins(labels, scores)) if both else None,
        precision=precision if both else (None, None),
        recall=recall,
        confusion=((true_negative, false_positive), (false_negative, true_positive)),
    )


def measure_source(
    label: int, scores: Scores, others: Scores, threshold: float, bootstrap: Bootstrap
) -> SourceMeasures:
    """Measure the images of one source.

    Args:
        label: the class of the source, 0 or 1.
        scores: [N], P(positive) of its images; N may be 0.
        others: [M], P(positive) of all images of the other class; M may be 0.
        threshold: a score above it is a positive verdict.
        bootstrap: how intervals are made.
    """
    images = len(scores)
    positive = int(np.sum(scores > threshold))
    right = positive if label else images - positive
    low, high = (others, scores) if label else (scores, others)
    area = None
    if len(low) and len(high):
        truth = np.repeat([0, 1], [len(low), len(high)])
        area = float(metrics.roc_auc_score(truth, np.concatenate([low, high])))
    return SourceMeasures(
        images=images,
        accuracy=right / images if images else None,
        accuracy_interval=bootstrap.accuracy([(right, images)]),
        mean_score=float(np.mean(scores)) if images else None,
        positive_share=positive / images if images else None,
        auc=area,
        auc_interval=bootstrap.auc(low, high),
    )


def bins(labels: Labels, scores: Scores) -> tuple[Bin, ...]:
    """The points of the reliability diagram: the bins of equal width that have images.

    Args:
        labels: [N], 0 or 1.
        scores: [N], P(positive), 0 to 1.
    """
    if not len(labels):
        return ()
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # As `calibration_curve` sorts them: a score on an edge belongs to the bin below.
    counts = np.bincount(np.searchsorted(edges[1:-1], scores), minlength=BINS)
    positive, mean_score = calibration_curve(labels, scores, n_bins=BINS, pos_label=1)
    return tuple(
        Bin(float(edges[place]), float(edges[place + 1]), int(counts[place]), mean, share)
        for place, mean, share in zip(
            np.flatnonzero(counts), mean_score.tolist(), positive.tolist(), strict=True
        )
    )


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error: how far, on average, P(positive) is from the share of positives.

    Guo et al. 2017 (arXiv:1706.04599) bin the confidence of the class that is chosen. This is its
    binary form: the bins are of P(positive), of equal width, and the mean over them of
    |mean score - share of positives| is weighted with their images. Like all calibration it holds
    for the mix of classes in the data, no other.
    """
    images = sum(one.images for one in bins)
    return sum(one.images * abs(one.mean_score - one.positive) for one in bins) / images


def _precision_and_recall(labels: Labels, verdicts: npt.NDArray[np.bool_]) -> tuple[Pair, Pair]:
    if not len(labels):
        return (None, None), (None, None)
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        labels, verdicts, labels=[0, 1], zero_division=np.nan
    )
    return _pair(precision), _pair(recall)


def _pair(values: npt.NDArray[np.float64]) -> Pair:
    negative, positive = (None if np.isnan(value) else float(value) for value in values)
    return negative, positive
