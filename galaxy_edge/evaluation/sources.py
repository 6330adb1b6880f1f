"""Labelled folders with several sources: ``Fake/diffusion``, ``Fake/gan``, ``Real/sdss``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs.bands import Bands, grouped
from galaxy_edge.inputs.containers.labelled import LabelledContainer
from galaxy_edge.inputs.kept import text
from galaxy_edge.inputs.labelled import OPTIONAL, REQUIRED, Split
from galaxy_edge.inputs.listing import child, images_below
from galaxy_edge.inputs.source import Given

#: Name of the folder, or of the label, of images that belong to no class.
OUTLIERS = "Outliers"


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a container.

    Attributes:
        path: its place.
        container: reads it again.
    """

    path: str
    container: LabelledContainer


#: A path; the paths of three files, the red, the green and the blue band; or one of a container.
Input: TypeAlias = str | tuple[str, str, str] | Member


@dataclass(frozen=True, slots=True)
class LabelledSource:
    """Images of one class from one source.

    Attributes:
        name: name of the folder in the class folder; for images directly in the class folder, the
            name of the class.
        label: index of the class; of two, 0 is the negative and 1 the positive one.
        images: at least one, in sorted order.
    """

    name: str
    label: int
    images: tuple[Input, ...]

    def title(self, classes: Sequence[str]) -> str:
        """``Fake/gan``, or ``Fake`` for images directly in the class folder."""
        name = classes[self.label]
        return name if self.name == name else f"{name}/{self.name}"


@dataclass(frozen=True, slots=True)
class OutlierSource:
    """Images that belong to no class, such as other surveys, noise or blank frames.

    Attributes:
        name: name of the folder below ``Outliers``, or ``Outliers`` itself.
        images: at least one, in sorted order.
    """

    name: str
    images: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """The contents of a data folder.

    Attributes:
        folders: the class folders that exist.
        split: the chosen split; None if the class folders are directly in the data folder.
        sources: in the order of the classes, then sorted by name.
        notes: a sentence for each folder without images, and for each kind of image left out.
        container: holds the images; None for folders.
        outliers: images of no class.
        faults: a sentence for each image or part of a container that cannot be read and whose
            class is not known.
    """

    folders: tuple[Path, ...]
    split: Split | None
    sources: tuple[LabelledSource, ...]
    notes: tuple[str, ...]
    container: LabelledContainer | None = None
    outliers: tuple[OutlierSource, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[tuple[Input, ...], ...]:
        """The images of each source, then those of each kind of outliers."""
        return (
            *(source.images for source in self.sources),
            *(source.images for source in self.outliers),
        )

    @property
    def places(self) -> set[Path]:
        """The class folders and the real folders of all images, which may be reached by links."""
        return {*self.folders} | {
            Path(os.path.realpath(path)).parent
            for some in self.images
            for one in some
            if not isinstance(one, Member)
            for path in ((one,) if isinstance(one, str) else one)
        }

    def stream(self) -> Iterator[tuple[int, Given]]:
        """Each image with its place in `images`, in the order in which they are read best."""
        if self.container is None:
            for place, some in enumerate(self.images):
                for image in some:
                    assert not isinstance(image, Member)  # noqa: S101 - there is no container
                    yield place, image
            return
        places = {
            image.path: place
            for place, some in enumerate(self.images)
            for image in some
            if isinstance(image, Member)
        }
        for one in self.container.sources():
            if one.path in places:
                yield places[one.path], one


def find(
    data: Path, classes: Sequence[str], split: Split | None = None, bands: Bands | None = None
) -> Labelled:
    """List the sources of a data folder. Names of splits and classes match in any case.

    Args:
        data: contains a folder for each class (some may be missing), or splits that contain them;
            and perhaps a folder ``Outliers``.
        classes: names of the classes; of two, the negative and the positive one.
        split: the split to use. By default none if ``data`` contains class folders, else Valid.
        bands: combine the files of three bands into one image. Folders named after the bands are
            not sources.

    Raises:
        DatasetError: the folder or split does not exist, or contains no image of any class.
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
        found = [
            LabelledSource(key, label, images)
            for key, images in _by_folder(folder, name, bands).items()
        ]
        sources += found
        if not found:
            notes.append(f"{folder} contains no images and is skipped")
            continue
        listed = {source.name for source in found} | set(bands or ())
        notes += [
            f"{below} contains no images of its own and is skipped"
            for below in sorted(folder.iterdir())
            if below.is_dir() and not below.name.startswith(".") and below.name not in listed
        ]
    if not sources and not problems:
        problems = notes or [
            f"{root} contains no class folder ({_either(classes)}, the classes of the model)"
        ]
    outliers: list[OutlierSource] = []
    # It may be a class, and then its images are labelled.
    if OUTLIERS.casefold() not in (name.casefold() for name in classes) and not problems:
        for place in (data, *([] if root in (None, data) else [root])):
            folder = child(place, OUTLIERS, problems, needed=False)
            if folder is not None:
                folders.append(folder)
                odd = _by_folder(folder, OUTLIERS, bands)
                outliers += [OutlierSource(name, images) for name, images in odd.items()]
    if problems:
        raise DatasetError(str(data), problems)
    return Labelled(tuple(folders), split, tuple(sources), tuple(notes), outliers=tuple(outliers))


def _root(
    data: Path, classes: Sequence[str], split: Split | None, problems: list[str]
) -> tuple[Path | None, Split | None]:
    """Find the folder that contains the class folders, and its split, if it is one."""
    if not data.is_dir():
        problems.append("this folder does not exist")
        return None, split
    if split is None:
        names = {entry.name.casefold() for entry in data.iterdir() if entry.is_dir()}
        if any(name.casefold() in names for name in classes):
            return data, None
        splits = [name for name in (*REQUIRED, *OPTIONAL) if name.casefold() in names]
        if not splits:
            problems.append(
                f"it contains neither class folders ({_either(classes)}; one is enough) nor "
                f"splits with class folders ({', '.join((*REQUIRED, *OPTIONAL))})"
            )
            return None, None
        split = "Valid"
        if split not in splits:
            problems.append(f"it contains no folder Valid; use --split {' or '.join(splits)}")
            return None, split
    return child(data, split, problems, needed=True), split


def _either(classes: Sequence[str]) -> str:
    """``Fake or Real``, ``a, b or c``."""
    return f"{', '.join(classes[:-1])} or {classes[-1]}"


def _by_folder(folder: Path, name: str, bands: Bands | None) -> dict[str, tuple[Input, ...]]:
    """The images of each folder below a folder; those directly in it have the given name."""
    paths = map(str, images_below(folder))
    found: dict[str, list[Input]] = {}
    for image in paths if bands is None else grouped(paths, bands):
        if image is not None:
            first = image if isinstance(image, str) else image[0]
            place, *below = Path(first).relative_to(folder).parts
            directly = not below or place in (bands or ())
            found.setdefault(name if directly else place, []).append(image)
    return {key: tuple(images) for key, images in found.items()}


def find_in(
    container: LabelledContainer,
    classes: Sequence[str],
    split: Split | None = None,
    source_column: str | None = None,
) -> Labelled:
    """List the sources of a container.

    Args:
        container: holds the images, and their classes in a column; "Outliers" is no class.
        classes: names of the classes; labels match in any case.
        split: the split to use, if the container has a column of splits; by default Valid.
        source_column: the column with the names of the sources; by default, the images of a class
            are one source.

    Raises:
        DatasetError: no image has one of the classes.
    """
    columns = container.columns
    if columns.split is not None:
        split = split or "Valid"
    elif split is not None:
        raise DatasetError(container.path, ["--split needs the column of splits, --split-column"])
    labels = {name.casefold(): label for label, name in enumerate(classes)}
    found: dict[tuple[int, str], list[Input]] = {}
    others: Counter[str] = Counter()
    faults: list[str] = []
    odd: dict[str, list[Input]] = {}
    for source in container.sources([] if source_column is None else [source_column]):
        if columns.split is not None and not _is(source.kept[columns.split], str(split)):
            continue
        name = text(source.kept[columns.label]).strip()
        label = labels.get(name.casefold())
        own = "" if source_column is None else text(source.kept[source_column]).strip()
        member = Member(str(source.path), container)
        if label is None and name.casefold() == OUTLIERS.casefold():
            odd.setdefault(own or OUTLIERS, []).append(member)
            continue
        if label is None:
            if isinstance(source.content, ImageError) and not name:
                faults.append(f"{source.path}: {source.content!s}")
            else:
                others[name] += 1
            continue
        found.setdefault((label, own or classes[label]), []).append(member)
    left_out = [
        f"{count:,} images with the class {name or '(none)'} are left out; the model has "
        f"{', '.join(classes)}"
        for name, count in others.most_common()
    ]
    if not found:
        raise DatasetError(container.path, [*left_out, *faults] or ["it has no images"])
    sources = [
        LabelledSource(name, label, tuple(images))
        for (label, name), images in sorted(found.items())
    ]
    outliers = tuple(OutlierSource(name, tuple(images)) for name, images in sorted(odd.items()))
    return Labelled((), split, tuple(sources), tuple(left_out), container, outliers, tuple(faults))


def _is(value: object, name: str) -> bool:
    return str(value or "").strip().casefold() == name.casefold()
