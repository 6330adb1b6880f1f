"""Measures of a model's scores: values from scikit-learn, intervals from the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.calibration import calibration_curve

from galaxy_edge.decision import Decision
from galaxy_edge.evaluation.bootstrap import Bootstrap, Interval, Scores

Labels: TypeAlias = npt.NDArray[np.uint8]
Pair: TypeAlias = tuple[float | None, float | None]

#: Number of bins of the reliability diagram, as in Guo et al. 2017.
BINS = 15


@dataclass(frozen=True, slots=True)
class Measures:
    """How well the scores of all images separate the classes. None: undefined for these images.

    Attributes:
        images: number of scores.
        accuracy: share of correct verdicts; it depends on the mix of classes in the data.
        accuracy_interval: its bootstrap interval.
        balanced_accuracy: mean recall of the classes; None unless both classes have images.
        auc: area under the ROC curve; None unless both classes have images.
        auc_interval: its bootstrap interval.
        brier: mean squared difference of score and class, 0 to 1 (Brier 1950).
        log_loss: mean negative logarithm of the probability of the true class; None unless both
            classes have images.
        expected_calibration_error: see `calibration_error`; None unless both classes have images.
        precision: for each class, the share of correct verdicts among the images classified as
            this class; None if there are no such images, or unless both classes have images.
        recall: for each class, the share of its images that are classified as this class; None for
            a class without images.
        confusion: for each class, how many of its images are classified as negative and as
            positive.
        labelled: share of images with a label: neither uncertain nor out of distribution. All
            other measures count every image by its score.
        labelled_accuracy: accuracy of those.
    """

    images: int
    accuracy: float | None
    accuracy_interval: Interval | None
    balanced_accuracy: float | None
    auc: float | None
    auc_interval: Interval | None
    brier: float | None
    log_loss: float | None
    expected_calibration_error: float | None
    precision: Pair
    recall: Pair
    confusion: tuple[tuple[int, int], tuple[int, int]]
    labelled: float | None
    labelled_accuracy: float | None

    def document(self, classes: Sequence[str]) -> dict[str, Any]:
        """The measures as JSON-ready values, those of each class by its name."""
        document = asdict(self)
        for name in ("precision", "recall"):
            document[name] = dict(zip(classes, document[name], strict=True))
        document["confusion"] = {
            name: dict(zip(classes, row, strict=True))
            for name, row in zip(classes, document["confusion"], strict=True)
        }
        return document


@dataclass(frozen=True, slots=True)
class SourceMeasures:
    """How well the images of one source are recognised. None: undefined for these images.

    Attributes:
        images: number of scores.
        accuracy: share of correct verdicts, which is the recall of its class for this source.
        accuracy_interval: its bootstrap interval.
        mean_score: mean P(positive).
        positive_share: share classified as positive.
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
    """Images with similar scores.

    Attributes:
        low: lower edge; scores are above it (the first bin also contains 0).
        high: upper edge; scores are at most this.
        images: number of images, at least one.
        mean_score: their mean P(positive).
        positive: share of them that belong to the positive class.
    """

    low: float
    high: float
    images: int
    mean_score: float
    positive: float


def measure(
    labels: Labels,
    scores: Scores,
    decision: Decision,
    bootstrap: Bootstrap | None = None,
    labelled: npt.NDArray[np.bool_] | None = None,
) -> Measures:
    """Measure all images together.

    Args:
        labels: [N], 0 or 1; N may be 0, and a class may be missing.
        scores: [N], P(positive), 0 to 1.
        decision: which scores are positive verdicts.
        bootstrap: how intervals are computed; None for no intervals.
        labelled: bool [N], whether an image got a label; None for all.
    """
    bootstrap = bootstrap or Bootstrap(resamples=0)
    got = np.ones(len(labels), bool) if labelled is None else labelled
    both = len(np.unique(labels)) == 2
    verdicts = _verdicts(scores, decision)
    # scikit-learn raises an error if there are no images.
    table = (
        metrics.confusion_matrix(labels, verdicts, labels=[0, 1])
        if len(labels)
        else np.zeros((2, 2))
    )
    (true_negative, false_positive), (false_negative, true_positive) = table.astype(int).tolist()
    precision, recall = _precision_and_recall(labels, verdicts)
    correct = [
        (true_negative, true_negative + false_positive),
        (true_positive, false_negative + true_positive),
    ]
    return Measures(
        images=len(labels),
        accuracy=float(metrics.accuracy_score(labels, verdicts)) if len(labels) else None,
        accuracy_interval=bootstrap.accuracy(correct),
        balanced_accuracy=(
            float(metrics.balanced_accuracy_score(labels, verdicts)) if both else None
        ),
        auc=float(metrics.roc_auc_score(labels, scores)) if both else None,
        auc_interval=bootstrap.auc(scores[labels == 0], scores[labels == 1]),
        brier=(
            float(metrics.brier_score_loss(labels, scores, pos_label=1)) if len(labels) else None
        ),
        log_loss=float(metrics.log_loss(labels, scores, labels=[0, 1])) if both else None,
        expected_calibration_error=calibration_error(bins(labels, scores)) if both else None,
        precision=precision if both else (None, None),
        recall=recall,
        confusion=((true_negative, false_positive), (false_negative, true_positive)),
        labelled=float(got.mean()) if len(labels) else None,
        labelled_accuracy=float((verdicts == labels)[got].mean()) if got.any() else None,
    )


def measure_sources(
    sources: Sequence[tuple[int, Scores]], decision: Decision, bootstrap: Bootstrap
) -> list[SourceMeasures]:
    """Measure the images of each source, against all images of the other class.

    Args:
        sources: for each source its class, 0 or 1, and P(positive) of its images as float64 [N];
            N may be 0.
        decision: which scores are positive verdicts.
        bootstrap: how intervals are computed.

    Returns:
        The measures of each source, in the same order.
    """
    by_class = [of_class(label, sources) for label in (0, 1)]
    intervals = [
        iter(
            bootstrap.aucs(
                label, [scores for own, scores in sources if own == label], by_class[1 - label]
            )
        )
        for label in (0, 1)
    ]
    return [
        _measure_source(
            label, scores, by_class[1 - label], decision, bootstrap, next(intervals[label])
        )
        for label, scores in sources
    ]


def _measure_source(
    label: int,
    scores: Scores,
    others: Scores,
    decision: Decision,
    bootstrap: Bootstrap,
    auc_interval: Interval | None,
) -> SourceMeasures:
    images = len(scores)
    positive = int(np.sum(_verdicts(scores, decision)))
    correct = positive if label else images - positive
    low, high = (others, scores) if label else (scores, others)
    area = None
    if len(low) and len(high):
        truth = np.repeat([0, 1], [len(low), len(high)])
        area = float(metrics.roc_auc_score(truth, np.concatenate([low, high])))
    return SourceMeasures(
        images=images,
        accuracy=correct / images if images else None,
        accuracy_interval=bootstrap.accuracy([(correct, images)]),
        mean_score=float(np.mean(scores)) if images else None,
        positive_share=positive / images if images else None,
        auc=area,
        auc_interval=auc_interval,
    )


def of_class(label: int, sources: Sequence[tuple[int, Scores]]) -> Scores:
    """Float64 [N]: the scores of all sources of one class, from pairs of class and scores."""
    return np.concatenate([np.empty(0), *(scores for other, scores in sources if other == label)])


def bins(labels: Labels, scores: Scores) -> tuple[Bin, ...]:
    """The points of the reliability diagram: bins of equal width, without the empty ones.

    Args:
        labels: [N], 0 or 1.
        scores: [N], P(positive), 0 to 1.
    """
    if not len(labels):
        return ()
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # As in `calibration_curve`, a score on an edge belongs to the bin below it.
    counts = np.bincount(np.searchsorted(edges[1:-1], scores), minlength=BINS)
    positive, mean_score = calibration_curve(labels, scores, n_bins=BINS, pos_label=1)
    return tuple(
        Bin(float(edges[place]), float(edges[place + 1]), int(counts[place]), mean, share)
        for place, mean, share in zip(
            np.flatnonzero(counts), mean_score.tolist(), positive.tolist(), strict=True
        )
    )


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error: the mean difference of P(positive) and the share of positives.

    Guo et al. 2017 (arXiv:1706.04599) bin the confidence of the chosen class. This is the binary
    form: bins of P(positive) of equal width, and the mean of |mean score - share of positives| over
    the bins, weighted by their number of images. Like any measure of calibration, it is valid only
    for the mix of classes in the data.
    """
    images = sum(one.images for one in bins)
    return sum(one.images * abs(one.mean_score - one.positive) for one in bins) / images


def _verdicts(scores: Scores, decision: Decision) -> npt.NDArray[np.intp]:
    """Intp [N]: 1 where P(positive) gives a positive verdict, else 0."""
    return decision.choose(np.stack([1 - scores, scores], axis=1))


def _precision_and_recall(labels: Labels, verdicts: npt.NDArray[np.intp]) -> tuple[Pair, Pair]:
    if not len(labels):
        return (None, None), (None, None)
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        labels, verdicts, labels=[0, 1], zero_division=np.nan
    )
    return _pair(precision), _pair(recall)


def _pair(values: npt.NDArray[np.float64]) -> Pair:
    negative, positive = (None if np.isnan(value) else float(value) for value in values)
    return negative, positive
