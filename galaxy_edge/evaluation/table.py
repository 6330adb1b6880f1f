"""The measures as tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from galaxy_edge.evaluation.bootstrap import Interval
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.outputs.text import printable

#: Printed in place of a number that is undefined.
NONE = "–"  # noqa: RUF001 - a dash, as is usual in tables
Rows = Sequence[Sequence[str]]


def number(value: float | None) -> str:
    """Format a number with four decimals."""
    return NONE if value is None else f"{value:.4f}"


def interval(value: Interval | None) -> str:
    """Format the two ends of an interval, in brackets."""
    return "" if value is None else f"[{value[0]:.4f}, {value[1]:.4f}]"


def summary(evaluation: Evaluation) -> str:
    """Describe the model and the data in one line."""
    place = printable(evaluation.data) + (f" ({evaluation.split})" if evaluation.split else "")
    scored = [sum(row) for row in evaluation.overall.confusion]
    counts = ", ".join(
        f"{count:,} {name}" for count, name in zip(scored, evaluation.classes, strict=True)
    )
    failed = len(evaluation.unreadable)
    return (
        f"{printable(evaluation.model)} on {place}: {counts}, {failed:,} unreadable; "
        f"threshold {evaluation.threshold:g} ({evaluation.provider})"
    )


def overall(evaluation: Evaluation) -> Rows:
    """Rows with name, value and interval of each measure of all images."""
    it = evaluation.overall
    return [
        ("accuracy", number(it.accuracy), interval(it.accuracy_interval)),
        ("balanced accuracy", number(it.balanced_accuracy), ""),
        ("AUC", number(it.auc), interval(it.auc_interval)),
        ("Brier score", number(it.brier), ""),
        ("expected calibration error", number(it.expected_calibration_error), ""),
    ]


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
    header = ("source", "images", "unreadable", "accuracy", "", "AUC", "", f"mean P({name})")
    return [
        (*header, f"called {name}"),
        *(
            (
                printable(one.source.title(evaluation.classes)),
                f"{one.measures.images:,}",
                f"{len(one.unreadable):,}",
                number(one.measures.accuracy),
                interval(one.measures.accuracy_interval),
                number(one.measures.auc),
                interval(one.measures.auc_interval),
                number(one.measures.mean_score),
                number(one.measures.positive_share),
            )
            for one in evaluation.sources
        ),
    ]


def text(evaluation: Evaluation) -> str:
    """The summary and all tables."""
    tables = (overall(evaluation), by_class(evaluation), by_source(evaluation))
    return "\n\n".join([summary(evaluation), *map(_aligned, tables)])


def _aligned(rows: Rows) -> str:
    """Align the first column to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
