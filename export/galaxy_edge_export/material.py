"""The images that an export reads, and what is known about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galaxy_edge.errors import DatasetError, ImageError, UsageError
from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.containers.labelled import LabelledContainer
from galaxy_edge.inputs.containers.mixed import MixedImages
from galaxy_edge.inputs.formats import container_kind
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
        container: holds the images, or some of them, in the order of ``files``; None for files.
    """

    files: Mapping[Split, Sequence[LabelledFile]]
    digests: Mapping[Path, str]
    classes: Sequence[str]
    preprocessing: Preprocessing
    container: LabelledContainer | MixedImages | None = None

    def in_order(self, files: Sequence[LabelledFile]) -> list[LabelledFile]:
        """Sort images of one split as the container has them."""
        every = (file.path for split in self.files.values() for file in split)
        place = {path: number for number, path in enumerate(every)}
        return sorted(files, key=lambda file: place[file.path])


def find(trained: Trained, data: Path | None) -> Material:
    """List the training and validation images: of ``data`` if given, else those of the run.

    Args:
        trained: the model.
        data: labelled folders; or, for a run on a container, the place to which it was moved.

    Raises:
        UsageError: the model is bare and ``data`` is None.
        DatasetError: ``data`` lacks a folder, or data of the run no longer exist.
    """
    container = trained.container
    if data is not None and isinstance(container, LabelledContainer) and not _is_labelled(data):
        trained, data = _moved(trained, container, data), None
    # Images from --data are the user's choice, but images of the run must not have changed since
    # the training.
    digests, images = (trained.digests, trained.container) if data is None else ({}, None)
    files = _files(trained, data)
    return Material(files, digests, trained.classes, trained.preprocessing, images)


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
    if isinstance(trained.container, LabelledContainer):
        gone = _unreadable(trained.container)
    else:
        mixed = trained.container
        gone = [
            f"{file.path} no longer exists (give the new folder with --data)"
            for files in trained.files.values()
            for file in files
            if not file.path.exists() and (mixed is None or not mixed.is_contained(file.path))
        ]
    if gone:
        raise DatasetError(f"the data of {trained.path.parent}", gone)
    return trained.files


def _unreadable(container: LabelledContainer) -> list[str]:
    """Why no image of a container can be read; empty if the first can."""
    try:
        first = next(container.sources(), None)
    except UsageError as error:  # a package or the catalogue is missing
        return [str(error)]
    if first is not None and first.path != container.path:
        return []
    why = first.content if first and isinstance(first.content, ImageError) else "no image is in it"
    return [f"{container.path}: {why} (if it was moved, give its new place with --data)"]


def _is_labelled(data: Path) -> bool:
    """Whether a path is a folder with the splits, and not a container."""
    if not data.is_dir() or container_kind(str(data)) is not None:
        return False
    return any(entry.name.casefold() == "train" for entry in data.iterdir())


def _moved(trained: Trained, container: LabelledContainer, data: Path) -> Trained:
    """The run, as if its container had been in another place.

    Raises:
        UsageError: the run was trained on a pattern, which names several containers.
    """
    old, new = container.path, str(data.absolute())
    if not all(str(path).startswith(old) for path in trained.digests):
        raise UsageError(
            f"the run was trained on the pattern {old}; move its containers back, or give "
            "labelled folders with --data"
        )

    def place(path: Path) -> Path:
        return Path(new + str(path).removeprefix(old))

    return replace(
        trained,
        container=replace(container, path=new),
        files={
            split: tuple(replace(file, path=place(file.path)) for file in files)
            for split, files in trained.files.items()
        },
        digests={place(path): sha256 for path, sha256 in trained.digests.items()},
    )
