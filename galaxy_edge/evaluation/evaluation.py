"""The scores a model gives to labelled sources, and the measures computed from them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from galaxy_edge.decision import Decision
from galaxy_edge.errors import UsageError
from galaxy_edge.evaluation.bootstrap import LEVEL, Bootstrap, Scores
from galaxy_edge.evaluation.measures import (
    Bin,
    Measures,
    SourceMeasures,
    bins,
    measure,
    measure_sources,
    of_class,
)
from galaxy_edge.evaluation.sources import Input, Labelled, LabelledSource
from galaxy_edge.inputs.labelled import Split
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction
from galaxy_edge.versions import runtimes

_PACKAGES = ("galaxy-edge", "numpy", "pillow", "scikit-learn")


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
    """How a model scores labelled sources.

    Attributes:
        data: the folder, as the user named it.
        split: the split that was evaluated, if any.
        classes: names of the negative and the positive class.
        model: name of the model file.
        model_sha256: digest of the model file.
        threshold: a score above it is a positive verdict.
        provider: the execution provider that computed the scores.
        bootstrap: how intervals were computed.
        overall: the measures of all sources together.
        sources: each source separately.
        bins: the points of the reliability diagram; empty unless both classes have scores.
    """

    data: str
    split: Split | None
    classes: tuple[str, str]
    model: str
    model_sha256: str
    threshold: float
    provider: str
    bootstrap: Bootstrap
    overall: Measures
    sources: tuple[Scored, ...]
    bins: tuple[Bin, ...]

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
        return {
            "model": {
                "name": self.model,
                "sha256": self.model_sha256,
                "classes": list(classes),
                "threshold": self.threshold,
                "provider": self.provider,
            },
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in _PACKAGES}
            # The name of the installed build: onnxruntime-gpu, onnxruntime-openvino, ...
            | runtimes(),
            "data": {
                "folder": self.data,
                "split": self.split,
                "images": sum(len(one.predictions) for one in self.sources),
                "scored": self.overall.images,
                "unreadable": [{"path": one.path, "error": one.error} for one in self.unreadable],
            },
            "intervals": {"method": "percentile bootstrap, stratified by class", "level": LEVEL}
            | asdict(self.bootstrap),
            "overall": self.overall.document(classes),
            "sources": [
                {"class": classes[one.source.label], "source": one.source.name}
                | asdict(one.measures)
                | {"unreadable": len(one.unreadable)}
                for one in self.sources
            ],
            "reliability": [asdict(one) for one in self.bins],
        }


def evaluate(
    predictor: Predictor,
    data: str,
    labelled: Labelled,
    bootstrap: Bootstrap,
    progress: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Score every image of labelled sources, and measure the results.

    Args:
        predictor: the model.
        data: name of the folder, for the document.
        labelled: the sources in the folder.
        bootstrap: how intervals are computed.
        progress: called after each image.

    Raises:
        UsageError: the model is not one for two classes.
        ModelError: the model does not run.
    """
    decision = predictor.decision
    negative, positive = two_classes(decision)
    counted = _counted(predictor, labelled.sources, progress)
    predictions = [tuple(next(counted) for _ in one.images) for one in labelled.sources]
    pairs = [
        (source.label, _scores(some))
        for source, some in zip(labelled.sources, predictions, strict=True)
    ]
    labels = np.repeat(
        np.array([label for label, _ in pairs], np.uint8), [len(scores) for _, scores in pairs]
    )
    scores = np.concatenate([scores for _, scores in pairs])
    overall = measure(labels, scores, decision, bootstrap)
    by_source = measure_sources(pairs, decision, bootstrap)
    return Evaluation(
        data=data,
        split=labelled.split,
        classes=(negative, positive),
        model=predictor.name,
        model_sha256=predictor.sha256,
        threshold=decision.threshold or 0.0,
        provider=predictor.provider,
        bootstrap=bootstrap,
        overall=overall,
        sources=tuple(
            Scored(source, some, measures)
            for source, some, measures in zip(labelled.sources, predictions, by_source, strict=True)
        ),
        bins=() if overall.auc is None else bins(labels, scores),
    )


def two_classes(decision: Decision) -> tuple[str, str]:
    """The negative and the positive class.

    Raises:
        UsageError: there are more.
    """
    if not decision.two_classes:
        raise UsageError(
            f"evaluate measures models for two classes, and this one has {len(decision.classes)}: "
            f"{', '.join(decision.classes)}"
        )
    negative, positive = decision.classes
    return negative, positive


def _counted(
    predictor: Predictor, sources: Sequence[LabelledSource], progress: Callable[[], None]
) -> Iterator[Prediction]:
    images: Iterator[Input] = (image for source in sources for image in source.images)
    for prediction in predictor.predict_many(images):
        progress()
        yield prediction


def _scores(predictions: Sequence[Prediction]) -> Scores:
    return np.array([one.score for one in predictions if one.score is not None], np.float64)
