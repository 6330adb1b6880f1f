"""What a model leaves without a label, and what that gains: coverage, risk, outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.decision import Decision
from galaxy_edge.evaluation.sources import LabelledSource, OutlierSource
from galaxy_edge.results import Prediction

_Floats: TypeAlias = npt.NDArray[np.float64]

#: Most points of the curve in the document.
_POINTS = 200


@dataclass(frozen=True, slots=True)
class Shares:
    """What became of some images. None: there are none.

    Attributes:
        images: number of images with a score.
        labelled: share with a label, the coverage.
        accuracy: share of right labels among those.
        out_of_distribution: share that is unlike the training images.
        uncertain: share whose score leaves the class open.
    """

    images: int
    labelled: float | None
    accuracy: float | None
    out_of_distribution: float | None
    uncertain: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the risk-coverage curve.

    Attributes:
        coverage: share of the images that is kept, the surest ones.
        risk: share of wrong classes among those.
    """

    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the model decides on, and how well.

    Attributes:
        overall: all labelled images.
        sources: the images of each source.
        curve: the risk-coverage curve. The surest images come first; those out of distribution
            come last, because they have no label at any score.
        area: mean risk over all coverages, the area under the curve (Geifman and El-Yaniv 2017,
            arXiv:1705.08500); None without images.
    """

    overall: Shares
    sources: tuple[Shares, ...]
    curve: tuple[Point, ...]
    area: float | None

    def document(self, names: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """All of it as JSON-ready values; names are class and name of each source."""
        return {
            "overall": asdict(self.overall),
            "sources": [
                {"class": of, "source": name} | asdict(one)
                for (of, name), one in zip(names, self.sources, strict=True)
            ],
            "risk_coverage": [asdict(one) for one in self.curve],
            "risk_coverage_area": self.area,
        }


@dataclass(frozen=True, slots=True)
class Outliers:
    """Images that belong to no class.

    Attributes:
        source: the images.
        predictions: one for each image, in the same order.
        flagged: share that is out of distribution; None if none has a score.
        uncertain: share whose score leaves the class open; None likewise.
        called: how many are called each class.
    """

    source: OutlierSource
    predictions: tuple[Prediction, ...]
    flagged: float | None
    uncertain: float | None
    called: dict[str, int]

    @property
    def unreadable(self) -> tuple[Prediction, ...]:
        """Predictions without a score."""
        return tuple(one for one in self.predictions if one.score is None)

    @property
    def scored(self) -> int:
        """Number of images with a score."""
        return len(self.predictions) - len(self.unreadable)

    def document(self) -> dict[str, Any]:
        """The shares as JSON-ready values."""
        return {
            "source": self.source.name,
            "images": self.scored,
            "flagged": self.flagged,
            "uncertain": self.uncertain,
            "called": self.called,
            "unreadable": [{"path": one.path, "error": one.error} for one in self.unreadable],
        }


def measure_coverage(
    decision: Decision,
    sources: Sequence[LabelledSource],
    predictions: Sequence[tuple[Prediction, ...]],
) -> Coverage:
    """Measure what a model leaves without a label.

    Args:
        decision: of the model.
        sources: the labelled sources.
        predictions: of the images of each source.
    """
    scored = [[one for one in some if one.score is not None] for some in predictions]
    every = [one for some in scored for one in some]
    labels = np.repeat([source.label for source in sources], [len(some) for some in scored])
    probabilities = np.array(
        [[one.scores[name] for name in decision.classes] for one in every], np.float64
    ).reshape(-1, len(decision.classes))
    wrong = decision.choose(probabilities) != labels
    ends = np.cumsum([0, *map(len, scored)]).tolist()
    odd = np.array([one.status == "out_of_distribution" for one in every], bool)
    curve, area = _curve(_confidence(decision, probabilities), odd, wrong)
    return Coverage(
        overall=_shares(every, wrong),
        sources=tuple(
            _shares(some, wrong[start:end])
            for some, start, end in zip(scored, ends, ends[1:], strict=False)
        ),
        curve=curve,
        area=area,
    )


def measure_outliers(
    decision: Decision, source: OutlierSource, predictions: tuple[Prediction, ...]
) -> Outliers:
    """Measure what a model calls images that belong to no class."""
    scored = [one for one in predictions if one.score is not None]
    shares = _shares(scored, np.zeros(len(scored), bool))
    called = {name: sum(one.label == name for one in scored) for name in decision.classes}
    return Outliers(source, predictions, shares.out_of_distribution, shares.uncertain, called)


def _shares(predictions: Sequence[Prediction], wrong: npt.NDArray[np.bool_]) -> Shares:
    if not predictions:
        return Shares(0, None, None, None, None)

    def share(status: str) -> float:
        return sum(one.status == status for one in predictions) / len(predictions)

    got = np.array([one.label is not None for one in predictions], bool)
    return Shares(
        images=len(predictions),
        labelled=float(got.mean()),
        accuracy=float(1 - wrong[got].mean()) if got.any() else None,
        out_of_distribution=share("out_of_distribution"),
        uncertain=share("uncertain"),
    )


def _confidence(decision: Decision, probabilities: _Floats) -> _Floats:
    """How sure a class is, 0 to 1: with two classes, how far the score is from the threshold."""
    if not decision.two_classes:
        return np.asarray(probabilities.max(axis=1, initial=0.0), np.float64)
    threshold = decision.threshold or 0.0
    score = probabilities[:, 1]
    above = (score - threshold) / max(1 - threshold, 1e-12)
    below = (threshold - score) / max(threshold, 1e-12)
    return np.where(score > threshold, above, below)


def _curve(
    confidence: _Floats, odd: npt.NDArray[np.bool_], wrong: npt.NDArray[np.bool_]
) -> tuple[tuple[Point, ...], float | None]:
    count = len(confidence)
    if not count:
        return (), None
    order = np.lexsort((-confidence, odd))
    errors = np.cumsum(wrong[order])
    # Equally sure images have no order among themselves: only the last one of them is a point.
    new = (np.diff(confidence[order]) != 0) | np.diff(odd[order])
    ends = np.append(np.flatnonzero(new), count - 1) + 1
    kept = np.arange(1, count + 1)
    between = np.interp(kept, np.concatenate([[0], ends]), np.concatenate([[0], errors[ends - 1]]))
    chosen = ends[np.unique(np.linspace(0, len(ends) - 1, _POINTS).round().astype(int))]
    curve = tuple(
        Point(float(end / count), float(errors[end - 1] / end)) for end in chosen.tolist()
    )
    return curve, float(np.mean(between / kept))
