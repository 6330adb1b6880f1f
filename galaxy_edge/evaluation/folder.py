"""The folder of a finished evaluation: numbers, scores, figures, and the report that holds all."""

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
from galaxy_edge.results import csv_line

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
    """Make the folder, or take one that is empty or holds nothing but an earlier evaluation.

    Args:
        folder: where the files will be.
        data: folders of images; the figures must not become images of a class.

    Raises:
        UsageError: it holds other files, is no folder, or lies in the data.
        OSError: it cannot be made.
    """
    place = folder.resolve()
    for one in data:
        if place.is_relative_to(one.resolve()):
            raise UsageError(
                f"{folder} lies in {one}, and its figures would be taken for images of that "
                "class; name a folder elsewhere"
            )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is there and no folder; name another output")
    folder.mkdir(parents=True, exist_ok=True)
    # Hidden files are the system's, or what a killed run left.
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
            f"{folder} holds more than an earlier evaluation ({some}); name another folder"
        )


def _is_ours(metrics: Path) -> bool:
    """Whether ``metrics.json`` is of an evaluation; other programs use the name."""
    try:
        return "reliability" in json.loads(metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def write(folder: Path, evaluation: Evaluation, stretch: Stretch) -> None:
    """Write the files, each whole or not at all; those of an earlier evaluation are replaced.

    Args:
        folder: where to.
        evaluation: what to write.
        stretch: how FITS images became RGB.
    """
    pictures = {
        "ROC": figures.roc(evaluation),
        "Reliability": figures.reliability(evaluation),
        "Scores by source": figures.histogram(evaluation),
        "The most wrong images of each class": most_wrong(evaluation, stretch),
    }
    contents = (
        f"{json.dumps(evaluation.document(), indent=2)}\n".encode("ascii"),
        _scores(evaluation),
        *pictures.values(),
        html(evaluation, pictures).encode("utf-8"),
    )
    # The report is written last: a folder that has it is of one evaluation.
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
    # File names leave as the bytes they came in as.
    return "".join(lines).encode("utf-8", "surrogateescape")
