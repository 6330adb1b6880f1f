"""How well score and typicality together separate a closed class from an open one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn import metrics

from galaxy_edge.decision import Decision
from galaxy_edge.evaluation.bootstrap import Scores
from galaxy_edge.evaluation.sources import LabelledSource
from galaxy_edge.results import Prediction


@dataclass(frozen=True, slots=True)
class Combined:
    """Areas under the ROC curve of the probability of the closed class times its familiarity.

    The familiarity is 1 for a typicality at or above the model's limit; below, it is the typicality
    divided by the limit.

    Attributes:
        auc: of all images; None unless both classes have images.
        sources: of the images of each source against all images of the other class; likewise.
    """

    auc: float | None
    sources: tuple[float | None, ...]

    def document(self, names: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """All of it as JSON-ready values; names are class and name of each source."""
        return asdict(self) | {
            "sources": [
                {"class": of, "source": name, "auc": one}
                for (of, name), one in zip(names, self.sources, strict=True)
            ]
        }


def measure_combined(
    decision: Decision,
    sources: Sequence[LabelledSource],
    predictions: Sequence[tuple[Prediction, ...]],
) -> Combined | None:
    """Measure score and typicality together.

    Args:
        decision: of the model.
        sources: the labelled sources.
        predictions: of the images of each source.

    Returns:
        The areas; None if the model has no open class, or accepts every typicality.
    """
    limit, opened = decision.ood_limit, decision.open_class
    if limit is None or opened is None:
        return None
    closed = 1 - decision.classes.index(opened)
    ranks = [
        np.array([_rank(one, closed, limit) for one in some if one.score is not None], np.float64)
        for some in predictions
    ]
    return Combined(
        auc=_area(_of(1 - closed, sources, ranks), _of(closed, sources, ranks)),
        sources=tuple(
            _area(own, _of(closed, sources, ranks))
            if source.label != closed
            else _area(_of(1 - closed, sources, ranks), own)
            for source, own in zip(sources, ranks, strict=True)
        ),
    )


def _rank(prediction: Prediction, closed: int, limit: float) -> float:
    score = prediction.score or 0.0
    typicality = 1.0 if prediction.typicality is None else prediction.typicality
    return (score if closed else 1 - score) * min(1.0, typicality / limit)


def _of(label: int, sources: Sequence[LabelledSource], ranks: Sequence[Scores]) -> Scores:
    own = [some for source, some in zip(sources, ranks, strict=True) if source.label == label]
    return np.concatenate([np.empty(0), *own])


def _area(low: Scores, high: Scores) -> float | None:
    if not len(low) or not len(high):
        return None
    truth = np.repeat([0, 1], [len(low), len(high)])
    return float(metrics.roc_auc_score(truth, np.concatenate([low, high])))
