"""The images an export needs: a calibration sample and the validation set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from galaxy_edge.errors import DatasetError
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import LabelledFile, Loaded
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.trained import Trained

_AT_ONCE = 256


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


def chunks(
    files: Sequence[LabelledFile], preprocessing: Preprocessing, digests: Mapping[Path, str]
) -> Iterator[Loaded]:
    """`load` files a few at a time, so that memory does not grow with their number."""
    for start in range(0, len(files), _AT_ONCE):
        yield load(files[start : start + _AT_ONCE], preprocessing, digests)


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
