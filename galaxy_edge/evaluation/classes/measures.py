"""Measures of a model for three or more classes: values from scikit-learn, bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from galaxy_edge.decision import Decision
from galaxy_edge.evaluation.bootstrap import Bootstrap, Interval, Scores
from galaxy_edge.evaluation.classes.intervals import Labels, Ranking, intervals
from galaxy_edge.evaluation.measures import BINS, Bin


@dataclass(frozen=True, slots=True)
class OneClass:
    """How well one class is recognised. None: undefined for these images.

    Attributes:
        images: number of images of the class.
        precision: share of the images called this class that belong to it.
        recall: share of its images that are called this class.
        f1: harmonic mean of the two.
        average_precision: area under the precision-recall curve, as scikit-learn defines it.
        auc: area under the ROC curve of this class against all others.
        precision_interval, recall_interval, f1_interval, average_precision_interval, auc_interval:
            their bootstrap intervals.
    """

    images: int
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None
    average_precision: float | None
    average_precision_interval: Interval | None
    auc: float | None
    auc_interval: Interval | None


@dataclass(frozen=True, slots=True)
class ClassMeasures:
    """How well all images are classified. None: undefined for these images.

    The class of an image is its most probable one, whatever its status.

    Attributes:
        images: number of images with scores.
        accuracy: share of images whose most probable class is right (top 1).
        top_2_accuracy: share of images whose class is among the two most probable ones.
        balanced_accuracy: mean recall of the classes that have images.
        macro_f1: mean F1 of the classes.
        weighted_f1: the same, weighted by their numbers of images.
        macro_auc: mean area under the ROC curves, each class against all others.
        brier: mean squared distance of the probabilities from the class, 0 to 2 (Brier 1950).
        log_loss: mean negative logarithm of the probability of the true class.
        expected_calibration_error: see `calibration_bins`.
        labelled: share of images with a label: neither uncertain nor out of distribution.
        labelled_accuracy: accuracy of those.
        by_class: each class.
        confusion: for each class, how many of its images are called each class.
    """

    images: int
    accuracy: float | None
    accuracy_interval: Interval | None
    top_2_accuracy: float | None
    top_2_accuracy_interval: Interval | None
    balanced_accuracy: float | None
    balanced_accuracy_interval: Interval | None
    macro_f1: float | None
    macro_f1_interval: Interval | None
    weighted_f1: float | None
    weighted_f1_interval: Interval | None
    macro_auc: float | None
    macro_auc_interval: Interval | None
    brier: float | None
    brier_interval: Interval | None
    log_loss: float | None
    log_loss_interval: Interval | None
    expected_calibration_error: float | None
    expected_calibration_error_interval: Interval | None
    labelled: float | None
    labelled_accuracy: float | None
    by_class: tuple[OneClass, ...]
    confusion: tuple[tuple[int, ...], ...]

    def document(self, classes: Sequence[str]) -> dict[str, Any]:
        """The measures as JSON-ready values, those of each class by its name."""
        document = asdict(self)
        document["by_class"] = dict(zip(classes, document["by_class"], strict=True))
        document["confusion"] = {
            name: dict(zip(classes, row, strict=True))
            for name, row in zip(classes, self.confusion, strict=True)
        }
        return document


def measure(
    labels: Labels,
    probabilities: Scores,
    decision: Decision,
    bootstrap: Bootstrap | None = None,
    labelled: npt.NDArray[np.bool_] | None = None,
) -> ClassMeasures:
    """Measure all images together.

    Args:
        labels: [N], the class of each image; N may be 0, and classes may be missing.
        probabilities: [N, C].
        decision: the classes, and which one is chosen.
        bootstrap: how intervals are computed; None for no intervals.
        labelled: bool [N], whether an image got a label; None for all.
    """
    images, count = len(labels), len(decision.classes)
    chosen = decision.choose(probabilities)
    values = _Values(labels, chosen, probabilities)
    spread = intervals(labels, values, bootstrap or Bootstrap(resamples=0))
    point = _point(labels, chosen, probabilities) if images else {}
    got = np.ones(images, bool) if labelled is None else labelled
    right = chosen == labels
    confusion = (
        metrics.confusion_matrix(labels, chosen, labels=range(count))
        if images
        else np.zeros((count, count), int)
    )

    def both(name: str) -> dict[str, Any]:
        value = point.get(name, np.nan)
        short = name.rpartition(" ")[2]
        return {
            short: None if np.isnan(value) else float(value),
            f"{short}_interval": None if np.isnan(value) else spread.get(name),
        }

    overall = {key: value for name in _OVERALL for key, value in both(name).items()}
    return ClassMeasures(
        images=images,
        **overall,
        labelled=float(got.mean()) if images else None,
        labelled_accuracy=float(right[got].mean()) if got.any() else None,
        by_class=tuple(
            OneClass(
                images=int(np.sum(labels == label)),
                **{key: v for name in _OF_CLASS for key, v in both(f"{label} {name}").items()},
            )
            for label in range(count)
        ),
        confusion=tuple(tuple(int(number) for number in row) for row in confusion),
    )


_OVERALL = (
    "accuracy", "top_2_accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "macro_auc",
    "brier", "log_loss", "expected_calibration_error",
)  # fmt: skip
_OF_CLASS = ("precision", "recall", "f1", "average_precision", "auc")


def calibration_bins(labels: Labels, chosen: Labels, probabilities: Scores) -> tuple[Bin, ...]:
    """The points of the reliability diagram: bins of the probability of the chosen class.

    Guo et al. 2017 (arXiv:1706.04599). ``positive`` of a bin is the share of its images that are
    classified correctly. The expected calibration error is the mean difference of the two, weighted
    by the numbers of images.
    """
    if not len(labels):
        return ()
    confidence = np.take_along_axis(probabilities, chosen[:, None], axis=1)[:, 0]
    edges = np.linspace(0.0, 1.0, BINS + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    right = chosen == labels
    return tuple(
        Bin(
            float(edges[at]),
            float(edges[at + 1]),
            int(np.sum(place == at)),
            float(confidence[place == at].mean()),
            float(right[place == at].mean()),
        )
        for at in np.unique(place).tolist()
    )


def _point(labels: Labels, chosen: Labels, probabilities: Scores) -> dict[str, float]:
    """The values of all images, as scikit-learn computes them."""
    count = probabilities.shape[1]
    classes = range(count)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, chosen, labels=classes, zero_division=np.nan
    )
    known = support > 0
    f1_known = np.nan_to_num(f1[known])
    truth = labels[:, None] == np.arange(count)
    # scikit-learn refuses a ranking without images of the class, or with nothing else.
    ranked = [bool(truth[:, one].any() and not truth[:, one].all()) for one in classes]
    auc = [
        metrics.roc_auc_score(truth[:, one], probabilities[:, one]) if ranked[one] else np.nan
        for one in classes
    ]
    average = [
        metrics.average_precision_score(truth[:, one], probabilities[:, one])
        if known[one]
        else np.nan
        for one in classes
    ]
    bins = calibration_bins(labels, chosen, probabilities)
    error = sum(one.images * abs(one.mean_score - one.positive) for one in bins) / len(labels)
    return {
        "accuracy": metrics.accuracy_score(labels, chosen),
        "top_2_accuracy": metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=classes),
        "balanced_accuracy": float(np.mean(recall[known])),
        "macro_f1": float(np.mean(f1_known)),
        "weighted_f1": float(np.average(f1_known, weights=support[known])),
        "macro_auc": float(np.mean(auc)),
        "brier": float(np.mean(np.sum((probabilities - truth) ** 2, axis=1))),
        "log_loss": metrics.log_loss(truth.argmax(axis=1), _clipped(probabilities), labels=classes),
        "expected_calibration_error": error,
    } | {
        f"{one} {name}": float(each[one])
        for one in classes
        for name, each in zip(_OF_CLASS, (precision, recall, f1, average, auc), strict=True)
    }


def _clipped(probabilities: Scores) -> Scores:
    inside = np.clip(probabilities, 1e-15, None)
    return np.asarray(inside / inside.sum(axis=1, keepdims=True), np.float64)


class _Values:
    """The same values from how often each image counts, fast enough for a thousand resamples."""

    def __init__(self, labels: Labels, chosen: Labels, probabilities: Scores) -> None:
        count = probabilities.shape[1]
        truth = labels[:, None] == np.arange(count)
        order = np.argsort(probabilities, axis=1, kind="stable")[
            :, ::-1
        ]  # as scikit-learn breaks ties
        self._count = count
        self._cell = labels * count + chosen
        self._top_2 = (order[:, :2] == labels[:, None]).any(axis=1)
        self._brier = np.sum((probabilities - truth) ** 2, axis=1)
        self._surprise = -np.log(np.take_along_axis(_clipped(probabilities), labels[:, None], 1))
        self._confidence = np.take_along_axis(probabilities, chosen[:, None], axis=1)[:, 0]
        self._bin = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], self._confidence)
        self._excess = self._confidence - (chosen == labels)
        self._rankings = [Ranking(truth[:, one], probabilities[:, one]) for one in range(count)]

    def __call__(self, counts: Scores) -> dict[str, float]:
        total = counts.sum()
        table = np.bincount(self._cell, counts, self._count**2).reshape(self._count, self._count)
        diagonal, support, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        with np.errstate(invalid="ignore"):
            precision, recall = diagonal / called, diagonal / support
            f1 = 2 * diagonal / (support + called)
        known = support > 0
        areas = [ranking.areas(counts) for ranking in self._rankings]
        auc, average = ([pair[place] for pair in areas] for place in (0, 1))
        excess = np.bincount(self._bin, counts * self._excess, BINS)
        return {
            "accuracy": diagonal.sum() / total,
            "top_2_accuracy": counts @ self._top_2 / total,
            "balanced_accuracy": recall[known].mean(),
            "macro_f1": f1[known].mean(),
            "weighted_f1": np.average(f1[known], weights=support[known]),
            "macro_auc": np.mean(auc),
            "brier": counts @ self._brier / total,
            "log_loss": counts @ self._surprise[:, 0] / total,
            "expected_calibration_error": np.abs(excess).sum() / total,
        } | {
            f"{one} {name}": each[one]
            for one in range(self._count)
            for name, each in zip(_OF_CLASS, (precision, recall, f1, average, auc), strict=True)
        }
