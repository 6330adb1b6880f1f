"""The probabilities that a model for three or more classes gives to labelled sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from galaxy_edge.evaluation.bootstrap import Bootstrap, Interval, Scores
from galaxy_edge.evaluation.classes.intervals import Labels, Ranking
from galaxy_edge.evaluation.classes.measures import ClassMeasures, calibration_bins, measure
from galaxy_edge.evaluation.coverage import Coverage, Outliers
from galaxy_edge.evaluation.measures import Bin
from galaxy_edge.evaluation.run import Run, head
from galaxy_edge.evaluation.sources import LabelledSource
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction


@dataclass(frozen=True, slots=True)
class SourceMeasures:
    """How well the images of one source are recognised. None: undefined for these images.

    Attributes:
        images: number of images with scores.
        accuracy: share called their class.
        accuracy_interval: its bootstrap interval.
        mean_probability: mean probability of their class.
        auc: area under the ROC curve of its class's probability, against the images of all other
            classes.
    """

    images: int
    accuracy: float | None
    accuracy_interval: Interval | None
    mean_probability: float | None
    auc: float | None


@dataclass(frozen=True, slots=True)
class ScoredSource:
    """The images of one source with their predictions.

    Attributes:
        source: the images.
        predictions: one for each image, in the same order.
        measures: how well the source is recognised.
    """

    source: LabelledSource
    predictions: tuple[Prediction, ...]
    measures: SourceMeasures

    @property
    def unreadable(self) -> tuple[Prediction, ...]:
        """Predictions without a score."""
        return tuple(one for one in self.predictions if one.score is None)


@dataclass(frozen=True, slots=True)
class ClassEvaluation:
    """How a model for three or more classes scores labelled sources.

    Attributes:
        run: the model and the data.
        overall: the measures of all sources together.
        sources: each source separately.
        bins: the points of the reliability diagram.
        labels: intp [N], the class of each image with a score, source by source.
        probabilities: float64 [N, C].
        chosen: intp [N], the most probable class.
        coverage: what the model leaves without a label.
        outliers: images that belong to no class.
    """

    run: Run
    overall: ClassMeasures
    sources: tuple[ScoredSource, ...]
    bins: tuple[Bin, ...]
    labels: Labels
    probabilities: Scores
    chosen: Labels
    coverage: Coverage
    outliers: tuple[Outliers, ...]

    @property
    def unreadable(self) -> tuple[Prediction, ...]:
        """Predictions without a score, of all sources."""
        return tuple(one for scored in self.sources for one in scored.unreadable)

    def document(self) -> dict[str, Any]:
        """All results at full precision, ready for JSON; the same seed gives the same document."""
        classes = self.run.classes
        images = sum(len(one.predictions) for one in self.sources)
        return head(self.run, images, self.overall.images, self.unreadable) | {
            "overall": self.overall.document(classes),
            "sources": [
                {"class": classes[one.source.label], "source": one.source.name}
                | asdict(one.measures)
                | {"unreadable": len(one.unreadable)}
                for one in self.sources
            ],
            "reliability": [asdict(one) for one in self.bins],
            "coverage": self.coverage.document(
                [(classes[one.source.label], one.source.name) for one in self.sources]
            ),
            "outliers": [one.document() for one in self.outliers],
        }


def evaluate(
    run: Run,
    predictor: Predictor,
    sources: Sequence[LabelledSource],
    predictions: Sequence[tuple[Prediction, ...]],
    coverage: Coverage,
    outliers: tuple[Outliers, ...],
) -> ClassEvaluation:
    """Measure the predictions of labelled sources.

    Args:
        run: the model and the data.
        predictor: the model.
        sources: the labelled sources.
        predictions: of the images of each source.
        coverage: what the model leaves without a label.
        outliers: images that belong to no class.
    """
    decision = predictor.decision
    scored = [[one for one in some if one.score is not None] for some in predictions]
    labels = np.repeat([source.label for source in sources], [len(some) for some in scored])
    probabilities = np.array(
        [[one.scores[name] for name in run.classes] for some in scored for one in some], np.float64
    ).reshape(-1, len(run.classes))
    got = np.array([one.label is not None for some in scored for one in some], bool)
    chosen = decision.choose(probabilities)
    ends = np.cumsum([0, *map(len, scored)]).tolist()
    own = (
        _measure_source(
            source.label, labels, probabilities, chosen, slice(start, end), run.bootstrap
        )
        for source, start, end in zip(sources, ends, ends[1:], strict=False)
    )
    return ClassEvaluation(
        run=run,
        overall=measure(labels, probabilities, decision, run.bootstrap, got),
        sources=tuple(map(ScoredSource, sources, predictions, own)),
        bins=calibration_bins(labels, chosen, probabilities),
        labels=labels,
        probabilities=probabilities,
        chosen=chosen,
        coverage=coverage,
        outliers=outliers,
    )


def _measure_source(
    label: int,
    labels: Labels,
    probabilities: Scores,
    chosen: Labels,
    place: slice,
    bootstrap: Bootstrap,
) -> SourceMeasures:
    images = place.stop - place.start
    correct = int(np.sum(chosen[place] == label))
    counts = (labels != label).astype(np.float64)
    counts[place] = 1
    area = Ranking(labels == label, probabilities[:, label]).areas(counts)[0] if images else np.nan
    return SourceMeasures(
        images=images,
        accuracy=correct / images if images else None,
        accuracy_interval=bootstrap.accuracy([(correct, images)]),
        mean_probability=float(probabilities[place, label].mean()) if images else None,
        auc=None if np.isnan(area) else float(area),
    )


def mistakes(
    evaluation: ClassEvaluation, each: int
) -> Iterator[tuple[int, int, list[tuple[LabelledSource, int, Prediction]]]]:
    """The most confident mistakes of each pair of classes.

    Args:
        evaluation: the results.
        each: at most this many of each pair.

    Yields:
        The true class, the class it is called, and for each image its source, its place in the
        source and its prediction, the most confident first; pairs with the most mistakes first.
    """
    found: dict[tuple[int, int], list[tuple[float, LabelledSource, int, Prediction]]] = {}
    place = 0
    for scored in evaluation.sources:
        for number, row in enumerate(scored.predictions):
            if row.score is None:
                continue
            label, called = scored.source.label, int(evaluation.chosen[place])
            if label != called:
                confidence = float(evaluation.probabilities[place, called])
                found.setdefault((label, called), []).append(
                    (confidence, scored.source, number, row)
                )
            place += 1
    for (label, called), rows in sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        rows.sort(key=lambda row: -row[0])
        yield label, called, [(source, number, row) for _, source, number, row in rows[:each]]
