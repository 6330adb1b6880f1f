"""The output folder of an evaluation: measures, scores, figures, and a report with all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from galaxy_edge.errors import UsageError
from galaxy_edge.evaluation import figures
from galaxy_edge.evaluation.evaluation import Evaluation
from galaxy_edge.evaluation.report import html
from galaxy_edge.evaluation.wrong import most_wrong
from galaxy_edge.files import replacing
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.outputs.text import csv_line

FILES = (
    "metrics.json",
    "scores.csv",
    "roc.png",
    "reliability.png",
    "histogram.png",
    "most_wrong.png",
    "report.html",
)


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
    if (folder / FILES[0]).is_file() and not _is_ours(folder / FILES[0]):
        others.add(FILES[0])
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


def write(folder: Path, evaluation: Evaluation, stretch: Stretch) -> None:
    """Write all files, and replace those of an earlier evaluation.

    Each file is written completely or not at all.

    Args:
        folder: the output folder.
        evaluation: the results to write.
        stretch: how FITS images were converted to RGB.
    """
    pictures = {
        "ROC": figures.roc(evaluation),
        "Reliability": figures.reliability(evaluation),
        "Scores by source": figures.histogram(evaluation),
        "Most wrong images of each class": most_wrong(evaluation, stretch),
    }
    contents = (
        f"{json.dumps(evaluation.document(), indent=2)}\n".encode("ascii"),
        _scores(evaluation),
        *pictures.values(),
        html(evaluation, pictures).encode("utf-8"),
    )
    # The report is written last: if it exists, all files are from the same evaluation.
    (folder / FILES[-1]).unlink(missing_ok=True)
    for name, content in zip(FILES, contents, strict=True):
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)


def _scores(evaluation: Evaluation) -> bytes:
    lines = [csv_line(("path", "class", "source", "score", "label", "error"))]
    for one in evaluation.sources:
        name = evaluation.classes[one.source.label]
        lines += [
            csv_line((row.path, name, one.source.name, row.score, row.label, row.error))
            for row in one.predictions
        ]
    # File names are written with the bytes they have on disk, even if these are not UTF-8.
    return "".join(lines).encode("utf-8", "surrogateescape")
