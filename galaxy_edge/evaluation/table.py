"""The measures as tables of plain text."""

from __future__ import annotations

from galaxy_edge.evaluation.bootstrap import LEVEL, NO_WIDTH
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.evaluation.text import Rows, Section, interval, labelled, number
from galaxy_edge.outputs.text import printable


def sections(evaluation: Evaluation) -> list[Section]:
    """All tables: overall, by class, by source."""
    return [
        Section("All images", overall(evaluation), header=False),
        Section(None, by_class(evaluation)),
        Section("Each source", by_source(evaluation)),
    ]


def explanation(evaluation: Evaluation) -> str:
    """What the numbers mean."""
    negative, positive = evaluation.classes
    text = (
        f"The accuracy of a source is the share of its images that are classified correctly. Its "
        f"AUC is measured against all images of the other class. The expected calibration error is "
        f"the mean of |mean P({positive}) - share of {positive}| over bins of P({positive}), "
        f"weighted by their number of images. Like accuracy, precision and the Brier score, it is "
        f"valid only for this mix of {negative} and {positive}."
    )
    if evaluation.combined is not None:
        text += (
            " With the typicality, an image ranks by its probability times its typicality divided "
            "by the model's limit, at most 1."
        )
    if resamples := evaluation.run.bootstrap.resamples:
        text += (
            f" The brackets are {LEVEL:.0%} percentile intervals from {resamples:,} bootstrap "
            f"resamples, stratified by class, with seed {evaluation.run.bootstrap.seed}. They show "
            "how much a number would vary with other images of the same sources, not with other "
            f"sources. {NO_WIDTH}"
        )
    return text


def overall(evaluation: Evaluation) -> Rows:
    """Rows with name, value and interval of each measure of all images."""
    it = evaluation.overall
    rows = [
        ("accuracy", number(it.accuracy), interval(it.accuracy_interval)),
        ("balanced accuracy", number(it.balanced_accuracy), ""),
        ("AUC", number(it.auc), interval(it.auc_interval)),
        *(
            []
            if evaluation.combined is None
            else [("AUC with the typicality", number(evaluation.combined.auc), "")]
        ),
        ("Brier score", number(it.brier), ""),
        ("expected calibration error", number(it.expected_calibration_error), ""),
    ]
    return rows + labelled(it.labelled, it.labelled_accuracy)


def by_class(evaluation: Evaluation) -> Rows:
    """A header, and a row for each class with precision, recall and confusion."""
    it, names = evaluation.overall, evaluation.classes
    return [
        ("class", "precision", "recall", f"called {names[0]}", f"called {names[1]}"),
        *(
            (
                name,
                number(it.precision[label]),
                number(it.recall[label]),
                *(f"{count:,}" for count in it.confusion[label]),
            )
            for label, name in enumerate(names)
        ),
    ]


def by_source(evaluation: Evaluation) -> Rows:
    """A header, and a row for each source."""
    name = evaluation.classes[1]
    header = ("source", "images", "unreadable", "accuracy", "", "AUC", "")
    combined = evaluation.combined
    areas = (
        [()] * len(evaluation.sources)
        if combined is None
        else [(number(one),) for one in combined.sources]
    )
    added = () if combined is None else ("with typicality",)
    return [
        (*header, *added, f"mean P({name})", f"called {name}"),
        *(
            (
                printable(one.source.title(evaluation.classes)),
                f"{one.measures.images:,}",
                f"{len(one.unreadable):,}",
                number(one.measures.accuracy),
                interval(one.measures.accuracy_interval),
                number(one.measures.auc),
                interval(one.measures.auc_interval),
                *area,
                number(one.measures.mean_score),
                number(one.measures.positive_share),
            )
            for one, area in zip(evaluation.sources, areas, strict=True)
        ),
    ]
