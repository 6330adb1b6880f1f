"""The figures of an evaluation, each as the contents of a PNG file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from sklearn.metrics import roc_curve

from galaxy_edge.evaluation.bootstrap import Scores
from galaxy_edge.evaluation.evaluation import Evaluation, Scored
from galaxy_edge.evaluation.measures import BINS
from galaxy_edge.evaluation.plotting import drawn, plain_numbers, say
from galaxy_edge.evaluation.text import number
from galaxy_edge.evaluation.wrong import most_wrong
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.outputs.text import printable

#: Colours of the negative and the positive class.
COLOURS = ("#c8553d", "#3b6ea5")
_GREY = "#888888"
#: Maximum number of sources in a figure, so that it stays readable. The tables list all sources.
_SOURCES = 8


def pictures(evaluation: Evaluation, stretch: Stretch) -> dict[str, tuple[str, bytes]]:
    """Every picture: file name to heading and PNG."""
    return {
        "roc.png": ("ROC", roc(evaluation)),
        "reliability.png": ("Reliability", reliability(evaluation)),
        "histogram.png": ("Scores by source", histogram(evaluation)),
        "most_wrong.png": ("Most wrong images of each class", most_wrong(evaluation, stretch)),
    }


def roc(evaluation: Evaluation) -> bytes:
    """The ROC curves of all images, and of each source against all images of the other class."""
    with drawn(6.4, 6.4) as (figure, file):
        axes = figure.subplots()
        negative, positive = (evaluation.scores(label) for label in (0, 1))
        axes.plot([0, 1], [0, 1], ":", color=_GREY, lw=1)
        if evaluation.overall.auc is None:
            say(axes, "a ROC curve needs both classes")
        else:
            palette = colormaps["tab10"]
            _curve(axes, negative, positive, f"{evaluation.overall.auc:.4f}  all", "black", 2.2)
            for place, (title, low, high, area) in enumerate(_by_source(evaluation)):
                # Other figures use the first two colours for the classes.
                colour = palette((place + 2) % palette.N)
                _curve(axes, low, high, f"{area:.4f}  {title}", colour, 1.2)
            axes.plot(
                [np.mean(negative > evaluation.threshold)],
                [np.mean(positive > evaluation.threshold)],
                "o",
                color="black",
                label=f"threshold {evaluation.threshold:g}",
            )
            axes.legend(title="AUC", loc="lower right", fontsize="small")
        names = evaluation.classes
        axes.set(
            title=_title("ROC", evaluation),
            xlabel=f"share of {names[0]} classified as {names[1]}",
            ylabel=f"share of {names[1]} classified as {names[1]}",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
            aspect="equal",
        )
        axes.grid(alpha=0.3)
    return file.getvalue()


def reliability(evaluation: Evaluation) -> bytes:
    """The share of positive images at each score, and the number of images with this score."""
    name = evaluation.classes[1]
    with drawn(6.4, 7.0) as (figure, file):
        top, bottom = figure.subplots(2, sharex=True, height_ratios=[3, 1])
        top.plot([0, 1], [0, 1], ":", color=_GREY, lw=1)
        if not evaluation.bins:
            say(top, "a reliability diagram needs both classes")
        else:
            top.plot(
                [one.mean_score for one in evaluation.bins],
                [one.positive for one in evaluation.bins],
                "o-",
                color=COLOURS[1],
                ms=5,
            )
            bottom.bar(
                [one.low for one in evaluation.bins],
                [one.images for one in evaluation.bins],
                width=1 / BINS,
                align="edge",
                color=COLOURS[1],
                edgecolor="white",
                log=True,
            )
            bottom.set(ylim=(0.5, None))
            plain_numbers(bottom.yaxis)
            error = number(evaluation.overall.expected_calibration_error)
            top.set_title(f"Reliability: expected calibration error {error}")
        top.set(ylabel=f"share of {name}", ylim=(-0.02, 1.02))
        bottom.set(xlabel=f"P({name})", ylabel="images", xlim=(-0.02, 1.02))
        top.grid(alpha=0.3)
    return file.getvalue()


def histogram(evaluation: Evaluation) -> bytes:
    """The distribution of the scores of each source."""
    sources = _shown(evaluation)
    with drawn(6.4, 1.0 + 1.25 * len(sources)) as (figure, file):
        panels = figure.subplots(len(sources), sharex=True, squeeze=False)[:, 0]
        edges = np.linspace(0, 1, 41)
        one_image = 1 / max(1, *(scored.measures.images for scored in sources))
        for axes, scored in zip(panels, sources, strict=True):
            scores = scored.scores
            title = printable(scored.source.title(evaluation.classes))
            axes.set_title(f"{title} ({len(scores):,})", loc="left", fontsize="medium")
            if len(scores):
                shares = np.histogram(scores, edges)[0] / len(scores)
                axes.stairs(shares, edges, fill=True, color=COLOURS[scored.source.label])
            axes.axvline(evaluation.threshold, color=_GREY, ls=":", lw=1)
            # Most scores are near 0 or 1; a logarithmic axis shows the few between them.
            axes.set(yscale="log", ylim=(one_image / 2, 1.5), ylabel="share")
            plain_numbers(axes.yaxis)
        figure.suptitle(_title("Scores by source", evaluation))
        panels[-1].set(xlabel=f"P({evaluation.classes[1]})", xlim=(0, 1))
    return file.getvalue()


def _shown(evaluation: Evaluation) -> list[Scored]:
    """The sources to show in a figure: if there are too many, the least accurate ones."""
    accuracies = [one.measures.accuracy for one in evaluation.sources]
    places = range(len(accuracies))
    worst = sorted(places, key=lambda place: (accuracies[place] is None, accuracies[place]))
    return [evaluation.sources[place] for place in sorted(worst[:_SOURCES])]


def _title(name: str, evaluation: Evaluation) -> str:
    count = len(evaluation.sources)
    return name + (f" (the {_SOURCES} least accurate of {count} sources)" * (count > _SOURCES))


def _by_source(evaluation: Evaluation) -> Iterator[tuple[str, Scores, Scores, float]]:
    """Title, negative scores, positive scores and AUC of each source to show.

    The only source of its class is left out: its curve is that of all images.
    """
    labels = [scored.source.label for scored in evaluation.sources]
    for scored in _shown(evaluation):
        label, area = scored.source.label, scored.measures.auc
        if labels.count(label) > 1 and area is not None:
            others = evaluation.scores(1 - label)
            low, high = (others, scored.scores) if label else (scored.scores, others)
            yield printable(scored.source.title(evaluation.classes)), low, high, area


def _curve(
    axes: Axes,
    negative: Scores,
    positive: Scores,
    label: str,
    colour: str | tuple[float, ...],
    width: float,
) -> None:
    truth = np.repeat([0, 1], [len(negative), len(positive)])
    wrong, right, _ = roc_curve(truth, np.concatenate([negative, positive]))
    axes.plot(wrong, right, color=colour, lw=width, label=label)
