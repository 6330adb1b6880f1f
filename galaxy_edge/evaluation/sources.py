"""Labelled folders of several sources: ``Fake/diffusion``, ``Fake/gan``, ``Real/sdss``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from galaxy_edge.errors import DatasetError
from galaxy_edge.inputs.bands import Bands, grouped
from galaxy_edge.inputs.labelled import OPTIONAL, REQUIRED, Split, child, images_below

#: A path, or the three files of a red, a green and a blue band.
Input: TypeAlias = str | tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class LabelledSource:
    """Images of one class that came from one place.

    Attributes:
        name: of the folder below the class folder; the class itself for images right in it.
        label: 0 for the negative class, 1 for the positive.
        images: at least one, in sorted order.
    """

    name: str
    label: int
    images: tuple[Input, ...]

    def title(self, classes: tuple[str, str]) -> str:
        """``Fake/gan``, or ``Fake`` for the images right in the class folder."""
        name = classes[self.label]
        return name if self.name == name else f"{name}/{self.name}"


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a data folder holds.

    Attributes:
        folders: the class folders that are there.
        split: the split that was taken; None for class folders right in the data folder.
        sources: those of the negative class first, then by name.
        notes: a sentence for each folder that gave nothing.
    """

    folders: tuple[Path, ...]
    split: Split | None
    sources: tuple[LabelledSource, ...]
    notes: tuple[str, ...]

    @property
    def places(self) -> set[Path]:
        """The class folders, and those that images lie in, which links may lead to."""
        images = (one for source in self.sources for one in source.images)
        return {*self.folders} | {
            Path(os.path.realpath(path)).parent
            for one in images
            for path in ((one,) if isinstance(one, str) else one)
        }


def find(
    data: Path, classes: tuple[str, str], split: Split | None = None, bands: Bands | None = None
) -> Labelled:
    """List the sources of a data folder; names of splits and classes match in any case.

    Args:
        data: holds a folder for each class (one may be missing), or splits that do.
        classes: names of the negative and the positive class.
        split: which split; by default none if the class folders are right there, else Valid.
        bands: put the files of three bands together; folders named by them are no sources.

    Raises:
        DatasetError: there is no such folder or split, or no image of either class.
    """
    problems: list[str] = []
    root, split = _root(data, classes, split, problems)
    folders: list[Path] = []
    sources: list[LabelledSource] = []
    notes: list[str] = []
    for label, name in enumerate(classes):
        folder = None if root is None else child(root, name, problems, needed=False)
        if folder is None:
            continue
        folders.append(folder)
        found = _sources(folder, name, label, bands)
        sources += found
        if not found:
            notes.append(f"{folder} holds no images, and is left out")
            continue
        listed = {source.name for source in found} | set(bands or ())
        notes += [
            f"{below} holds no images of its own, and is left out"
            for below in sorted(folder.iterdir())
            if below.is_dir() and not below.name.startswith(".") and below.name not in listed
        ]
    if not sources and not problems:
        problems = notes or [f"{root} has no folder {classes[0]} and none {classes[1]}"]
    if problems:
        raise DatasetError(str(data), problems)
    return Labelled(tuple(folders), split, tuple(sources), tuple(notes))


def _root(
    data: Path, classes: tuple[str, str], split: Split | None, problems: list[str]
) -> tuple[Path | None, Split | None]:
    """The folder that holds the class folders, and the split that it is."""
    if not data.is_dir():
        problems.append("there is no such folder")
        return None, split
    if split is None:
        names = {entry.name.casefold() for entry in data.iterdir() if entry.is_dir()}
        if any(name.casefold() in names for name in classes):
            return data, None
        if not (there := [name for name in (*REQUIRED, *OPTIONAL) if name.casefold() in names]):
            problems.append(
                f"it has neither class folders ({' and '.join(classes)}; one is enough) nor splits "
                f"that hold them ({', '.join((*REQUIRED, *OPTIONAL))})"
            )
            return None, None
        split = "Valid"
        if split not in there:
            problems.append(f"it has no folder Valid; take --split {' or '.join(there)}")
            return None, split
    return child(data, split, problems, needed=True), split


def _sources(folder: Path, name: str, label: int, bands: Bands | None) -> list[LabelledSource]:
    paths = map(str, images_below(folder))
    by_source: dict[str, list[Input]] = {}
    for image in paths if bands is None else grouped(paths, bands):
        if image is not None:
            first = image if isinstance(image, str) else image[0]
            place, *below = Path(first).relative_to(folder).parts
            right_there = not below or place in (bands or ())
            by_source.setdefault(name if right_there else place, []).append(image)
    return [LabelledSource(key, label, tuple(images)) for key, images in by_source.items()]
