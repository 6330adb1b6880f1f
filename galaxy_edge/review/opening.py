"""What is known of the model whose rows are reviewed: its classes and its stretch of FITS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.class_names import check_classes
from galaxy_edge.manifest import Manifest
from galaxy_edge.predictor import Predictor
from galaxy_edge.review.labels import LabelFile, check_class
from galaxy_edge.review.rows import Run

_BUNDLED = (None, "documented")


def known(runs: Sequence[Run], model: Path | None, note: Callable[[str], None]) -> Manifest | None:
    """The manifest of a given model, or of the bundled one whose rows these are, or None.

    Args:
        runs: the rows.
        model: the model file; None to look at the bundled ones.
        note: is given a sentence if the rows are not those of the model.

    Raises:
        ModelError: the given file is no model.
    """
    digests = {run.model_sha256 for run in runs}
    if model is not None:
        predictor = Predictor(model, device="cpu", check=False)
        if digests.isdisjoint({predictor.sha256, ""}):
            note(f"the rows are not of {model}, but of {runs[0].model}")
        return predictor.manifest
    folder = Path(__file__).parents[1] / "models"
    for name in _BUNDLED:
        path = folder / f"{name or 'galaxy-edge'}.onnx"
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() in digests:
            return Predictor(name, device="cpu", check=False).manifest
    return None


def offered(
    runs: Sequence[Run],
    manifest: Manifest | None,
    labels: LabelFile,
    given: tuple[str, ...] | None,
) -> tuple[str, ...]:
    """The classes to label with.

    Args:
        runs: the rows.
        manifest: of their model, if it is known.
        labels: the file, which may have classes of its own.
        given: the user's classes, which replace all others.

    Raises:
        UsageError: fewer than two are known, or the file has one that the user left out.
    """
    used = {*labels.labels.values()}
    if given is not None:
        if missing := sorted(used - {*given}):
            names = ", ".join(missing)
            raise UsageError(f"{labels.path} has labels {names}; add them to --classes")
        found = given
    else:
        named = [*(manifest.classes if manifest else ())]
        named += [name for run in runs for name in run.classes]
        if not named:
            used |= {row.label for run in runs for row in run.rows if row.label}
        found = tuple(dict.fromkeys([*named, *_sorted(used)]))
    if len(found) < 2:
        raise UsageError(
            "the rows do not show what the classes are; name the model with -m, or the classes "
            "with --classes A,B"
        )
    check_classes(found)
    for name in found:
        check_class(name)
    return found


def _sorted(names: set[str]) -> list[str]:
    """The order that `train` gives classes by default, so that a key keeps its class."""
    return sorted(names, key=lambda name: (name.casefold() != "fake", name))
