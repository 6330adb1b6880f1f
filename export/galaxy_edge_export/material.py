"""The images that an export reads, and what is known about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import DatasetError, UsageError
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.labelled import LabelledFile, Split
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.trained import Trained


@dataclass(frozen=True, slots=True)
class Material:
    """The images of a model.

    Attributes:
        files: the training and the validation images.
        digests: SHA-256 of the files at the time of the training; empty for other data.
        classes: names of the classes.
        preprocessing: of the model.
    """

    files: Mapping[Split, Sequence[LabelledFile]]
    digests: Mapping[Path, str]
    classes: Sequence[str]
    preprocessing: Preprocessing


def find(trained: Trained, data: Path | None) -> Material:
    """List the training and validation images: of ``data`` if given, else those of the run.

    Raises:
        UsageError: the model is bare and ``data`` is None.
        DatasetError: ``data`` lacks a folder, or data of the run no longer exist.
    """
    # Images from --data are the user's choice, but images of the run must not have changed since
    # the training.
    digests = trained.digests if data is None else {}
    return Material(_files(trained, data), digests, trained.classes, trained.preprocessing)


def _files(trained: Trained, data: Path | None) -> Mapping[Split, Sequence[LabelledFile]]:
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
