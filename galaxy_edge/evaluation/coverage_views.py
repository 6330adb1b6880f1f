"""Coverage, risk and outliers as tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence

from galaxy_edge.evaluation.coverage import Coverage, Outliers, Shares
from galaxy_edge.evaluation.plotting import drawn, say
from galaxy_edge.evaluation.text import Rows, Section, number
from galaxy_edge.outputs.text import printable

_BLUE, _GREY = "#3b6ea5", "#888888"


def sections(
    coverage: Coverage, outliers: Sequence[Outliers], titles: Sequence[str], classes: Sequence[str]
) -> list[Section]:
    """The tables that say something: none if every image has a label.

    Args:
        coverage: of the labelled images.
        outliers: images that belong to no class.
        titles: of the sources.
        classes: names of the classes.
    """
    found = []
    if coverage.overall.labelled not in (None, 1):
        found.append(Section("Images without a label", _coverage(coverage, titles)))
    if outliers:
        found.append(Section("Outliers", _outliers(outliers, classes)))
    return found


def risk_coverage(coverage: Coverage) -> bytes:
    """The risk-coverage curve, and where the model's own rule is, as a PNG file."""
    with drawn(6.4, 4.8) as (figure, file):
        axes = figure.subplots()
        if not coverage.curve:
            say(axes, "a risk-coverage curve needs images")
        else:
            axes.plot(
                [one.coverage for one in coverage.curve],
                [one.risk for one in coverage.curve],
                color=_BLUE,
                label=f"surest images first; area {number(coverage.area)}",
            )
            own = coverage.overall
            if own.labelled and own.accuracy is not None:
                axes.plot(
                    [own.labelled], [1 - own.accuracy], "o", color="black", label="the model's rule"
                )
            axes.legend(loc="upper left", fontsize="small")
        axes.set(
            title="Risk and coverage",
            xlabel="coverage: share of the images with a label",
            ylabel="risk: share of wrong labels among those",
            xlim=(-0.02, 1.02),
        )
        axes.axhline(0, color=_GREY, lw=0.5)
        axes.grid(alpha=0.3)
    return file.getvalue()


def _coverage(coverage: Coverage, titles: Sequence[str]) -> Rows:
    header = (
        "source",
        "images",
        "with a label",
        "accuracy of those",
        "out of distribution",
        "uncertain",
    )
    return [
        header,
        ("all", *_cells(coverage.overall)),
        *(
            (printable(title), *_cells(one))
            for title, one in zip(titles, coverage.sources, strict=True)
        ),
    ]


def _cells(shares: Shares) -> tuple[str, ...]:
    values = (shares.labelled, shares.accuracy, shares.out_of_distribution, shares.uncertain)
    return (f"{shares.images:,}", *map(number, values))


def _outliers(outliers: Sequence[Outliers], classes: Sequence[str]) -> Rows:
    header = ("outliers", "images", "unreadable", "out of distribution", "uncertain")
    return [
        (*header, *(f"called {name}" for name in classes)),
        *(
            (
                printable(one.source.name),
                f"{one.scored:,}",
                f"{len(one.unreadable):,}",
                number(one.flagged),
                number(one.uncertain),
                *(f"{count:,}" for count in one.called.values()),
            )
            for one in outliers
        ),
    ]
