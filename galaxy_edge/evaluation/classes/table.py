"""The measures of three or more classes as tables of plain text."""

from __future__ import annotations

from galaxy_edge.evaluation.bootstrap import LEVEL, NO_WIDTH
from galaxy_edge.evaluation.classes.evaluation import ClassEvaluation
from galaxy_edge.evaluation.text import Section, interval, labelled, number
from galaxy_edge.outputs.text import printable


def sections(evaluation: ClassEvaluation, *, wide: bool) -> list[Section]:
    """All tables: overall, by class, the confusion matrix, by source.

    Args:
        evaluation: the results.
        wide: with the intervals of each class, too wide for a terminal.
    """
    return [
        Section("All images", _overall(evaluation), header=False),
        Section(None, _by_class(evaluation, wide=wide)),
        Section("Confusion: true class by row, called class by column", _confusion(evaluation)),
        Section("Each source", _by_source(evaluation)),
    ]


def explanation(evaluation: ClassEvaluation) -> str:
    """What the numbers mean."""
    text = (
        "An image is counted as its most probable class, whatever its status. AUC and average "
        "precision of a class are against all other classes. The Brier score is the mean squared "
        "distance of the probabilities from the class, 0 to 2. The expected calibration error is "
        "the mean of |probability of the called class - share of correct ones| over bins of that "
        "probability, weighted by their numbers of images. Accuracy, weighted F1, the Brier score "
        "and the calibration are valid only for this mix of classes."
    )
    bootstrap = evaluation.run.bootstrap
    if bootstrap.resamples:
        text += (
            f" The brackets are {LEVEL:.0%} percentile intervals from {bootstrap.resamples:,} "
            f"bootstrap resamples, stratified by class, with seed {bootstrap.seed}. They show how "
            "much a number would vary with other images of the same sources, not with other "
            f"sources. {NO_WIDTH}"
        )
    return text


def _overall(evaluation: ClassEvaluation) -> list[tuple[str, ...]]:
    it = evaluation.overall
    rows = [
        ("accuracy (top 1)", it.accuracy, it.accuracy_interval),
        ("accuracy (top 2)", it.top_2_accuracy, it.top_2_accuracy_interval),
        ("balanced accuracy", it.balanced_accuracy, it.balanced_accuracy_interval),
        ("macro F1", it.macro_f1, it.macro_f1_interval),
        ("weighted F1", it.weighted_f1, it.weighted_f1_interval),
        ("macro AUC", it.macro_auc, it.macro_auc_interval),
        ("Brier score", it.brier, it.brier_interval),
        ("log loss", it.log_loss, it.log_loss_interval),
        (
            "expected calibration error",
            it.expected_calibration_error,
            it.expected_calibration_error_interval,
        ),
    ]
    found: list[tuple[str, ...]] = [
        (name, number(value), interval(spread)) for name, value, spread in rows
    ]
    return [*found, *labelled(it.labelled, it.labelled_accuracy)]


def _by_class(evaluation: ClassEvaluation, *, wide: bool) -> list[tuple[str, ...]]:
    names = ("precision", "recall", "f1", "average_precision", "auc")
    titles = ("precision", "recall", "F1", "average precision", "AUC")
    header = ["class", "images"]
    for title in titles:
        header += [title, ""] if wide else [title]
    rows = [tuple(header)]
    for name, it in zip(evaluation.run.classes, evaluation.overall.by_class, strict=True):
        cells = [name, f"{it.images:,}"]
        for key in names:
            cells.append(number(getattr(it, key)))
            if wide:
                cells.append(interval(getattr(it, f"{key}_interval")))
        rows.append(tuple(cells))
    return rows


def _confusion(evaluation: ClassEvaluation) -> list[tuple[str, ...]]:
    names = evaluation.run.classes
    return [
        ("true, then called", *names),
        *(
            (name, *(f"{count:,}" for count in row))
            for name, row in zip(names, evaluation.overall.confusion, strict=True)
        ),
    ]


def _by_source(evaluation: ClassEvaluation) -> list[tuple[str, ...]]:
    header = ("source", "images", "unreadable", "accuracy", "", "mean P(class)", "AUC")
    return [
        header,
        *(
            (
                printable(one.source.title(evaluation.run.classes)),
                f"{one.measures.images:,}",
                f"{len(one.unreadable):,}",
                number(one.measures.accuracy),
                interval(one.measures.accuracy_interval),
                number(one.measures.mean_probability),
                number(one.measures.auc),
            )
            for one in evaluation.sources
        ),
    ]
