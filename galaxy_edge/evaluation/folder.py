"""The output folder of an evaluation: measures, scores, figures, and a report with all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from galaxy_edge.errors import UsageError
from galaxy_edge.evaluation import views
from galaxy_edge.evaluation.report import html
from galaxy_edge.files import replacing
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.outputs.text import csv_line

#: What an evaluation may have written: of two classes, or of more.
FILES = frozenset(
    {
        "metrics.json", "scores.csv", "roc.png", "reliability.png", "histogram.png",
        "most_wrong.png", "confusion.png", "mistakes.png", "risk_coverage.png", "report.html",
    }
)  # fmt: skip
_METRICS, _SCORES, _REPORT = "metrics.json", "scores.csv", "report.html"


def claim(folder: Path, data: Iterable[Path]) -> None:
    """Create the output folder, or accept one that is empty or contains an earlier evaluation.

    Args:
        folder: the output folder.
        data: the image folders. The output must be outside them, or a later run would read the
            figures as images.

    Raises:
        UsageError: the folder contains other files, is not a folder, or is inside the data.
        OSError: the folder cannot be created.
    """
    place = folder.resolve()
    for one in data:
        if place.is_relative_to(one.resolve()):
            raise UsageError(
                f"{folder} is inside {one}, so its figures would be read as images of that class; "
                "choose a folder outside the data"
            )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} exists and is not a folder; choose another output")
    folder.mkdir(parents=True, exist_ok=True)
    # Hidden files belong to the system, or are left from an interrupted run.
    others = {
        one.name
        for one in folder.iterdir()
        if not (one.name.startswith(".") or (one.name in FILES and one.is_file()))
    }
    if (folder / _METRICS).is_file() and not _is_ours(folder / _METRICS):
        others.add(_METRICS)
    if others:
        some = ", ".join(sorted(others)[:3]) + (", ..." if len(others) > 3 else "")
        raise UsageError(
            f"{folder} contains files that are not from an evaluation ({some}); choose another "
            "folder"
        )


def _is_ours(metrics: Path) -> bool:
    """Whether ``metrics.json`` comes from an evaluation; other programs use this name, too."""
    try:
        return "reliability" in json.loads(metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def write(folder: Path, evaluation: views.Any, stretch: Stretch) -> None:
    """Write all files, and replace those of an earlier evaluation.

    Each file is written completely or not at all.

    Args:
        folder: the output folder.
        evaluation: the results to write.
        stretch: how FITS images were converted to RGB.
    """
    pictures = views.pictures(evaluation, stretch)
    contents = {
        _METRICS: f"{json.dumps(evaluation.document(), indent=2)}\n".encode("ascii"),
        _SCORES: _scores(evaluation),
        **{name: png for name, (_, png) in pictures.items()},
        _REPORT: html(evaluation, pictures.values()).encode("utf-8"),
    }
    # The report is written last: if it exists, all files are from the same evaluation.
    (folder / _REPORT).unlink(missing_ok=True)
    for name in FILES - contents.keys():
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)


def _scores(evaluation: views.Any) -> bytes:
    classes = evaluation.run.classes
    own = () if len(classes) == 2 else classes
    after = ("typicality", "status", "label", "error")
    columns = ("path", "class", "source", "score", *(f"p_{name}" for name in own), *after)
    lines = [csv_line(columns)]
    outliers = [(("Outliers", one.source.name), one.predictions) for one in evaluation.outliers]
    labelled = [
        ((classes[one.source.label], one.source.name), one.predictions)
        for one in evaluation.sources
    ]
    for start, predictions in (*labelled, *outliers):
        for row in predictions:
            probabilities = (row.scores[name] for name in own)
            end = (row.typicality, row.status, row.label, row.error)
            lines.append(csv_line((row.path, *start, row.score, *probabilities, *end)))
    # File names are written with the bytes they have on disk, even if these are not UTF-8.
    return "".join(lines).encode("utf-8", "surrogateescape")
