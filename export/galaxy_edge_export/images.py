"""The images an export needs: a calibration sample and the validation set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from galaxy_edge.errors import DatasetError, UsageError
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.labelled import LabelledFile, Loaded, Split
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.trained import Trained


def labelled_files(trained: Trained, data: Path | None) -> Mapping[Split, Sequence[LabelledFile]]:
    """The training and validation files: those of ``data`` if given, else the run's own.

    Raises:
        UsageError: a bare model and no ``data``.
        DatasetError: ``data`` lacks a folder, or the run's data are no longer there.
    """
    if data is not None:
        files, problems = labelled.scan(data, trained.labels, optional=())
        if problems:
            raise DatasetError(str(data), problems)
        return files
    if not trained.files:
        raise UsageError(
            "a bare model does not say what it was trained on; give labelled folders with --data"
        )
    gone = [
        file.path for files in trained.files.values() for file in files if not file.path.exists()
    ]
    if gone:
        raise DatasetError(
            f"the data of {trained.path.parent}",
            [f"{path} is gone (--data tells where the data are now)" for path in gone],
        )
    return trained.files


def load(
    files: Sequence[LabelledFile], preprocessing: Preprocessing, digests: Mapping[Path, str]
) -> Loaded:
    """Decode files, and make sure that they are what the model was trained with.

    Args:
        files: what to decode.
        preprocessing: the model's.
        digests: SHA-256 that files had when the model was trained; empty for other data.

    Raises:
        DatasetError: unreadable files, or files of the run that have changed since.
    """
    loaded = labelled.load(files, preprocessing)
    problems = [f"{fault.path}: {fault.reason}" for fault in loaded.faults]
    problems += [
        f"{file.path} has changed since the training"
        for file, sha256 in zip(loaded.files, loaded.digests, strict=True)
        if digests.get(file.path, sha256) != sha256
    ]
    if problems:
        raise DatasetError("the data for the export", problems)
    return loaded


def calibration_sample(files: Sequence[LabelledFile], count: int, seed: int) -> list[LabelledFile]:
    """A seeded sample with as many files of one class as of the other.

    Args:
        files: the training files.
        count: how many in all; fewer when a class has fewer than half of it.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    classes = [[file for file in files if file.label == label] for label in (0, 1)]
    each = min(max(count // 2, 1), *map(len, classes))
    return [
        members[index]
        for members in classes
        for index in sorted(rng.choice(len(members), each, replace=False).tolist())
    ]
