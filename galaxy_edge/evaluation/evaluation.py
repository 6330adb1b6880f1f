"""The scores a model gives to labelled sources, and the measures computed from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from galaxy_edge.evaluation.bootstrap import Bootstrap, Scores
from galaxy_edge.evaluation.classes import evaluation as several
from galaxy_edge.evaluation.classes.evaluation import ClassEvaluation
from galaxy_edge.evaluation.combined import Combined, measure_combined
from galaxy_edge.evaluation.coverage import (
    Coverage,
    Outliers,
    measure_coverage,
    measure_outliers,
)
from galaxy_edge.evaluation.measures import (
    Bin,
    Measures,
    SourceMeasures,
    bins,
    measure,
    measure_sources,
    of_class,
)
from galaxy_edge.evaluation.run import Run, head
from galaxy_edge.evaluation.sources import Labelled, LabelledSource
from galaxy_edge.inputs.source import Given
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction


@dataclass(frozen=True, slots=True)
class Scored:
    """The images of one source with their scores.

    Attributes:
        source: the images.
        predictions: one for each image, in the same order.
        measures: how well the source is recognised.
    """

    source: LabelledSource
    predictions: tuple[Prediction, ...]
    measures: SourceMeasures

    @property
    def scores(self) -> Scores:
        """Float64 [N]: P(positive) of the images that could be read."""
        return _scores(self.predictions)

    @property
    def unreadable(self) -> tuple[Prediction, ...]:
        """Predictions without a score."""
        return tuple(one for one in self.predictions if one.score is None)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model for two classes scores labelled sources.

    Attributes:
        run: the model and the data.
        overall: the measures of all sources together.
        sources: each source separately.
        bins: the points of the reliability diagram; empty unless both classes have scores.
        coverage: what the model leaves without a label.
        outliers: images that belong to no class.
        combined: score and typicality together; None if the model has no open class.
    """

    run: Run
    overall: Measures
    sources: tuple[Scored, ...]
    bins: tuple[Bin, ...]
    coverage: Coverage
    outliers: tuple[Outliers, ...] = ()
    combined: Combined | None = None

    @property
    def classes(self) -> tuple[str, str]:
        """Names of the negative and the positive class."""
        negative, positive = self.run.classes
        return negative, positive

    @property
    def threshold(self) -> float:
        """A score above it is a positive verdict."""
        assert self.run.threshold is not None  # noqa: S101 - two classes have one
        return self.run.threshold

    @property
    def unreadable(self) -> tuple[Prediction, ...]:
        """Predictions without a score, of all sources."""
        return tuple(one for scored in self.sources for one in scored.unreadable)

    def scores(self, label: int) -> Scores:
        """Float64 [N]: P(positive) of all images of a class."""
        return of_class(label, [(one.source.label, one.scores) for one in self.sources])

    def document(self) -> dict[str, Any]:
        """All results at full precision, ready for JSON; the same seed gives the same document."""
        classes = self.classes
        images = sum(len(one.predictions) for one in self.sources)
        names = [(classes[one.source.label], one.source.name) for one in self.sources]
        return head(self.run, images, self.overall.images, self.unreadable) | {
            "overall": self.overall.document(classes),
            "sources": [
                {"class": classes[one.source.label], "source": one.source.name}
                | asdict(one.measures)
                | {"unreadable": len(one.unreadable)}
                for one in self.sources
            ],
            "reliability": [asdict(one) for one in self.bins],
            "coverage": self.coverage.document(names),
            "combined": None if self.combined is None else self.combined.document(names),
            "outliers": [one.document() for one in self.outliers],
        }


def evaluate(
    predictor: Predictor,
    data: str,
    labelled: Labelled,
    bootstrap: Bootstrap,
    progress: Callable[[], None] = lambda: None,
) -> Evaluation | ClassEvaluation:
    """Score every image of labelled sources, and measure the results.

    Args:
        predictor: the model.
        data: name of the folder, for the document.
        labelled: the sources in the folder.
        bootstrap: how intervals are computed.
        progress: called after each image.

    Raises:
        ModelError: the model does not run.
    """
    decision = predictor.decision
    every = _predictions(predictor, labelled, progress)
    predictions, odd = every[: len(labelled.sources)], every[len(labelled.sources) :]
    outliers = tuple(
        measure_outliers(decision, source, some)
        for source, some in zip(labelled.outliers, odd, strict=True)
    )
    coverage = measure_coverage(decision, labelled.sources, predictions)
    run = Run(
        data=data,
        split=labelled.split,
        classes=decision.classes,
        model=predictor.name,
        model_sha256=predictor.sha256,
        threshold=decision.threshold,
        provider=predictor.provider,
        bootstrap=bootstrap,
    )
    if not decision.two_classes:
        return several.evaluate(run, predictor, labelled.sources, predictions, coverage, outliers)
    pairs = [
        (source.label, _scores(some))
        for source, some in zip(labelled.sources, predictions, strict=True)
    ]
    labels = np.repeat(
        np.array([label for label, _ in pairs], np.uint8), [len(scores) for _, scores in pairs]
    )
    scores = np.concatenate([scores for _, scores in pairs])
    labelled_too = np.array(
        [one.label is not None for some in predictions for one in some if one.score is not None],
        bool,
    )
    overall = measure(labels, scores, decision, bootstrap, labelled_too)
    by_source = measure_sources(pairs, decision, bootstrap)
    return Evaluation(
        run=run,
        overall=overall,
        sources=tuple(
            Scored(source, some, measures)
            for source, some, measures in zip(labelled.sources, predictions, by_source, strict=True)
        ),
        bins=() if overall.auc is None else bins(labels, scores),
        coverage=coverage,
        outliers=outliers,
        combined=measure_combined(decision, labelled.sources, predictions),
    )


def _predictions(
    predictor: Predictor, labelled: Labelled, progress: Callable[[], None]
) -> list[tuple[Prediction, ...]]:
    """The predictions for `Labelled.images`."""
    found: list[list[Prediction]] = [[] for _ in labelled.images]
    places: deque[int] = deque()

    def images() -> Iterator[Given]:
        for place, image in labelled.stream():
            places.append(place)
            yield image

    for prediction in predictor.predict_many(images()):
        found[places.popleft()].append(prediction)
        progress()
    return [tuple(some) for some in found]


def _scores(predictions: Sequence[Prediction]) -> Scores:
    return np.array([one.score for one in predictions if one.score is not None], np.float64)
