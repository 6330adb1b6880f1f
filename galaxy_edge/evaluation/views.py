"""An evaluation as text and pictures, for two classes and for more."""

from __future__ import annotations

from typing import TypeAlias

from galaxy_edge.evaluation import coverage_views, figures, table
from galaxy_edge.evaluation.classes import figures as class_figures
from galaxy_edge.evaluation.classes import table as class_table
from galaxy_edge.evaluation.classes.evaluation import ClassEvaluation
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.evaluation.text import Section, aligned
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.outputs.text import printable

Any: TypeAlias = Evaluation | ClassEvaluation


def summary(evaluation: Any) -> str:
    """Describe the model and the data in one line."""
    run = evaluation.run
    place = printable(run.data) + (f" ({run.split})" if run.split else "")
    scored = [sum(row) for row in evaluation.overall.confusion]
    counts = ", ".join(f"{count:,} {name}" for count, name in zip(scored, run.classes, strict=True))
    threshold = "" if run.threshold is None else f"; threshold {run.threshold:g}"
    return (
        f"{printable(run.model)} on {place}: {counts}, {len(evaluation.unreadable):,} unreadable"
        f"{threshold} ({run.provider})"
    )


def sections(evaluation: Any, *, wide: bool = True) -> list[Section]:
    """All tables; those that are not wide fit a terminal."""
    if isinstance(evaluation, ClassEvaluation):
        found = class_table.sections(evaluation, wide=wide)
    else:
        found = table.sections(evaluation)
    titles = [one.source.title(evaluation.run.classes) for one in evaluation.sources]
    return found + coverage_views.sections(
        evaluation.coverage, evaluation.outliers, titles, evaluation.run.classes
    )


def explanation(evaluation: Any) -> str:
    """What the numbers mean."""
    if isinstance(evaluation, ClassEvaluation):
        return class_table.explanation(evaluation)
    return table.explanation(evaluation)


def pictures(evaluation: Any, stretch: Stretch) -> dict[str, tuple[str, bytes]]:
    """Every picture: file name to heading and PNG."""
    if isinstance(evaluation, ClassEvaluation):
        found = class_figures.pictures(evaluation, stretch)
    else:
        found = figures.pictures(evaluation, stretch)
    curve = coverage_views.risk_coverage(evaluation.coverage)
    return found | {"risk_coverage.png": ("Risk and coverage", curve)}


def text(evaluation: Any) -> str:
    """The summary and all tables, for a terminal."""
    tables = [aligned(section.rows) for section in sections(evaluation, wide=False)]
    return "\n\n".join([summary(evaluation), *tables])
