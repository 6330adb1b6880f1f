"""The figures of an evaluation of three or more classes, each as the contents of a PNG file."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from PIL import Image
from sklearn.metrics import roc_curve

from galaxy_edge.drawing.sheet import contact_sheet
from galaxy_edge.evaluation.classes.evaluation import ClassEvaluation, mistakes
from galaxy_edge.evaluation.measures import BINS
from galaxy_edge.evaluation.plotting import confusion, drawn, plain_numbers, say
from galaxy_edge.evaluation.text import number
from galaxy_edge.evaluation.wrong import tiles
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.outputs.text import printable

_GREY = "#888888"
_BLUE = "#3b6ea5"
#: Images of each pair of classes on the sheet of mistakes, and pairs.
_EACH, _PAIRS = 6, 12


def pictures(evaluation: ClassEvaluation, stretch: Stretch) -> dict[str, tuple[str, bytes]]:
    """Every picture: file name to heading and PNG."""
    table = confusion(evaluation.run.classes, evaluation.overall.confusion)
    return {
        "confusion.png": ("Confusion matrix", table),
        "roc.png": ("ROC, each class against all others", roc(evaluation)),
        "reliability.png": ("Reliability", reliability(evaluation)),
        "mistakes.png": (
            "Most confident mistakes of each pair of classes",
            sheet(evaluation, stretch),
        ),
    }


def roc(evaluation: ClassEvaluation) -> bytes:
    """The ROC curve of each class against all others."""
    with drawn(6.4, 6.4) as (figure, file):
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], ":", color=_GREY, lw=1)
        palette = colormaps["tab10"]
        curves = 0
        for label, name in enumerate(evaluation.run.classes):
            truth = evaluation.labels == label
            area = evaluation.overall.by_class[label].auc
            if area is None:
                continue
            wrong, right, _ = roc_curve(truth, evaluation.probabilities[:, label])
            title = f"{area:.4f}  {printable(name)}"
            axes.plot(wrong, right, color=palette(label % palette.N), lw=1.4, label=title)
            curves += 1
        if curves:
            axes.legend(title="AUC", loc="lower right", fontsize="small")
        else:
            say(axes, "a ROC curve needs two classes")
        axes.set(
            title="ROC, each class against all others",
            xlabel="share of the others above a threshold",
            ylabel="share of the class above it",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
            aspect="equal",
        )
        axes.grid(alpha=0.3)
    return file.getvalue()


def reliability(evaluation: ClassEvaluation) -> bytes:
    """The share of correct images at each probability of the called class."""
    with drawn(6.4, 7.0) as (figure, file):
        top, bottom = figure.subplots(2, sharex=True, height_ratios=[3, 1])
        top.plot([0, 1], [0, 1], ":", color=_GREY, lw=1)
        _bins(top, bottom, evaluation)
        error = number(evaluation.overall.expected_calibration_error)
        top.set(
            title=f"Reliability: expected calibration error {error}",
            ylabel="share of correct images",
            ylim=(-0.02, 1.02),
        )
        bottom.set(xlabel="probability of the called class", ylabel="images", xlim=(-0.02, 1.02))
        top.grid(alpha=0.3)
    return file.getvalue()


def sheet(evaluation: ClassEvaluation, stretch: Stretch) -> bytes:
    """A contact sheet of the most confident mistakes, one row for each pair of classes."""
    names = evaluation.run.classes
    images: list[Image.Image] = []
    captions: list[str] = []
    shown = list(mistakes(evaluation, _EACH))[:_PAIRS]
    read = iter(tiles([source.images[n] for _, _, rows in shown for source, n, _ in rows], stretch))
    for label, called, rows in shown:
        for _, _, row in rows:
            images.append(next(read))
            confidence = row.scores[names[called]]
            captions.append(
                f"{names[label]}, called\n{names[called]} {confidence:.4f}\n"
                f"{printable(Path(row.path or '').name)}"
            )
        missing = _EACH - len(rows)
        images += [Image.new("RGB", (1, 1), "white")] * missing
        captions += [""] * missing
    file = io.BytesIO()
    contact_sheet(images, captions, _EACH).save(file, "PNG")
    return file.getvalue()


def _bins(top: Axes, bottom: Axes, evaluation: ClassEvaluation) -> None:
    if not evaluation.bins:
        say(top, "a reliability diagram needs images")
        return
    means = [one.mean_score for one in evaluation.bins]
    top.plot(means, [one.positive for one in evaluation.bins], "o-", color=_BLUE, ms=5)
    bottom.bar(
        [one.low for one in evaluation.bins],
        [one.images for one in evaluation.bins],
        width=1 / BINS, align="edge", color=_BLUE, edgecolor="white", log=True,
    )  # fmt: skip
    bottom.set(ylim=(0.5, None))
    plain_numbers(bottom.yaxis)
