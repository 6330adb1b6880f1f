"""The images an export needs: a calibration sample and the validation set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from galaxy_edge.errors import DatasetError, UsageError
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import LabelledFile, Loaded, Split
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.trained import Trained


def labelled_files(trained: Trained, data: Path | None) -> Mapping[Split, Sequence[LabelledFile]]:
    """List the training and validation files: from ``data`` if given, else those of the run.

    Raises:
        UsageError: the model is bare and ``data`` is None.
        DatasetError: ``data`` lacks a folder, or data of the run no longer exist.
    """
    if data is not None:
        files, problems = labelled.scan(data, trained.classes, optional=())
        if problems:
            raise DatasetError(str(data), problems)
        return files
    if not trained.files:
        raise UsageError(
            "a model without its run folder does not record its training data; give labelled "
            "folders with --data"
        )
    gone = [
        file.path for files in trained.files.values() for file in files if not file.path.exists()
    ]
    if gone:
        raise DatasetError(
            f"the data of {trained.path.parent}",
            [f"{path} no longer exists (give the new folder with --data)" for path in gone],
        )
    return trained.files


def validation(trained: Trained) -> Pixels | None:
    """The validation images of the run that are still readable: uint8 [N, size, size, 3].

    Returns:
        None for a bare model, or if none of the images can be read any more.
    """
    files = [file for file in trained.files.get("Valid", ()) if file.path.is_file()]
    if not files:
        return None
    pixels = labelled.load(files, trained.preprocessing).pixels
    return pixels if len(pixels) else None


def load(
    files: Sequence[LabelledFile], preprocessing: Preprocessing, digests: Mapping[Path, str]
) -> Loaded:
    """Decode files, and check that they have not changed since the training.

    Args:
        files: what to decode.
        preprocessing: the preprocessing of the model.
        digests: SHA-256 of the files at the time of the training; empty for other data.

    Raises:
        DatasetError: files are unreadable, or files of the run have changed since the training.
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
    """Choose a random sample with equally many files of each class.

    Args:
        files: the training files.
        count: total number of files; the sample is smaller if a class has fewer than its share.
        seed: the same seed chooses the same files.
    """
    rng = np.random.default_rng(seed)
    labels = sorted({file.label for file in files})
    classes = [[file for file in files if file.label == label] for label in labels]
    each = min(max(count // len(classes), 1), *map(len, classes))
    return [
        members[index]
        for members in classes
        for index in sorted(rng.choice(len(members), each, replace=False).tolist())
    ]
