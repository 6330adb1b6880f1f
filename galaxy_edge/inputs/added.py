"""Add labelled images to others, such as those that `galaxy-edge review` has labelled."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.catalogue import digest, fault
from galaxy_edge.inputs.containers.labelled import digest as digest_of
from galaxy_edge.inputs.containers.mixed import MixedImages
from galaxy_edge.inputs.containers.places import is_same_identifier
from galaxy_edge.inputs.label_file import LABEL, PATH, identifiers_in, is_label_file, labels_in
from galaxy_edge.inputs.labelled import REQUIRED, LabelledFile, Split
from galaxy_edge.inputs.source import Source, Stamps
from galaxy_edge.inputs.tables import rows


@dataclass(frozen=True, slots=True)
class Joined:
    """Labelled files with others added.

    Attributes:
        splits: the files of each split. Images of containers come last, in the order of
            `MixedImages.of`.
        problems: a sentence for each row that cannot be used, and each class without images.
        relabelled: how many files were listed already and have the label of the added one now.
        new: how many were added to the training images.
    """

    splits: dict[Split, list[LabelledFile]]
    problems: list[str]
    relabelled: int
    new: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a catalogue.

    Attributes:
        place: where it is, for messages.
        path: of the image.
        label: the name of its class.
        id: its identifier when it was labelled; empty if it is not known.
        fault: why it cannot be used; None for an image in a container, and for a file that exists.
    """

    place: str
    path: Path
    label: str
    id: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class _Contained:
    """What is known of an image in a container.

    Attributes:
        sha256: its digest; None if it cannot be read.
        size: bytes; 0 for an array.
        id: its identifier; empty for none.
        fault: why it cannot be used; None if it can.
    """

    sha256: str | None
    size: int
    id: str
    fault: str | None


def join(
    listed: Mapping[Split, Sequence[LabelledFile]],
    catalogues: Sequence[Path],
    classes: Sequence[str],
    images: MixedImages | None = None,
) -> Joined:
    """Add the images of catalogues to the listed ones.

    An image that is listed, by its path or as a copy with the same bytes, keeps its place and
    split and gets the label of the last catalogue that has it: a test image is never trained on.
    A new image joins Train, so that validation and test images stay comparable.

    Args:
        listed: the files of each split.
        catalogues: tables with the columns ``path``, relative to the table or absolute, and
            ``label``. An empty label takes an earlier one away. A path may be a place in a
            container, as in a row of `predict`; the identifier in a file of labels must be the one
            that the container has there.
        classes: names of the classes, in the order of the labels; case does not matter.
        images: reads the containers; by default without options.

    Raises:
        UsageError: a table cannot be read, or lacks a column.
    """
    images = images or MixedImages()
    places = {name.casefold(): label for label, name in enumerate(classes)}
    found = [row for catalogue in catalogues for row in _rows(catalogue, images)]
    paths = [row.path for row in found if row.fault is None and images.is_contained(row.path)]
    contained = _contained(images.sources(paths))
    problems: list[str] = []
    added: dict[str, LabelledFile] = {}
    for row in found:
        problem, inside = row.fault, contained.get(row.path)
        if problem is None and row.label.casefold() not in places:
            problem = f"{row.label} is not one of the classes ({', '.join(classes)})"
        if problem is None and inside is not None:
            problem = inside.fault or _other(row, inside.id)
        if problem is not None:
            problems.append(f"{row.place}: {problem}")
            continue
        file = LabelledFile(row.path, places[row.label.casefold()])
        # A file that cannot be read goes to training, where decoding reports it.
        sha256 = digest(file.path) if inside is None else inside.sha256
        key = sha256 or os.path.realpath(file.path)
        added.pop(key, None)
        added[key] = file
    sizes = {
        inside.size if (inside := contained.get(file.path)) else file.path.stat().st_size
        for file in added.values()
    }
    splits, same = _relabelled(listed, added, sizes)
    order = {path: number for number, path in enumerate(contained, start=1)}
    new = [file for key, file in added.items() if key not in same]
    new.sort(key=lambda file: order.get(file.path, 0))
    splits["Train"] = [*splits.get("Train", []), *new]
    if not problems:
        problems += [
            f"{split} has no image of {name} with the added labels"
            for split in REQUIRED
            for label, name in enumerate(classes)
            if splits.get(split) and not any(file.label == label for file in splits[split])
        ]
    return Joined(splits, problems, len(same), len(new))


def _rows(catalogue: Path, images: MixedImages) -> Iterable[_Row]:
    """The last label of each path, without those that were taken away."""
    root = catalogue.absolute().parent
    identifiers: Mapping[str, str] = {}
    if is_label_file(catalogue):
        labels, identifiers = labels_in(catalogue), identifiers_in(catalogue)
    else:
        labels = {row[PATH]: row[LABEL] for row in rows(catalogue, (PATH, LABEL))}
    for number, (name, label) in enumerate((one for one in labels.items() if one[1]), start=1):
        path = root / name
        reason = None if name and images.is_contained(path) else fault(name, root, PATH)
        place = f"row {number} of {catalogue}"
        if reason is None:
            place = f"{place}: {name}"
        elif "#" in name and images.layout.catalogue is None:
            reason += "; for a stamp of a mosaic, give the --catalogue and --size of `predict`"
        yield _Row(place, path, label, identifiers.get(name, ""), reason)


def _contained(sources: Iterable[Source]) -> dict[Path, _Contained]:
    """What is known of images in containers, in their order."""
    found: dict[Path, _Contained] = {}
    for source in sources:
        content, path = source.content, Path(str(source.path))
        identifier = "" if source.id == source.path else str(source.id)
        size = len(content) if isinstance(content, bytes) else 0
        size = sum(map(len, content)) if isinstance(content, Stamps) else size
        reason = str(content) if isinstance(content, ImageError) else None
        # Of a name that an archive has twice, the last source says that.
        found[path] = _Contained(digest_of(source), size, identifier, reason)
    return found


def _other(row: _Row, identifier: str) -> str | None:
    """Why an image is not the one that was labelled; None if it is, or if nobody can know."""
    # A row without an identifier has its path.
    is_path = not row.id or row.id.rpartition("/")[2] == row.path.name
    if is_path or is_same_identifier(row.id, identifier):
        return None
    has = f"the identifier {identifier}" if identifier else "none"
    return (
        f"it was labelled with the identifier {row.id}, and the container has {has} in this "
        "place; give `train` the options of `predict`, such as --id-column or --catalogue, or find "
        "the container that was classified"
    )


def _relabelled(
    listed: Mapping[Split, Sequence[LabelledFile]],
    added: Mapping[str, LabelledFile],
    sizes: set[int],
) -> tuple[dict[Split, list[LabelledFile]], set[str]]:
    """The listed files with the labels of the added ones, and which of those are listed."""
    splits: dict[Split, list[LabelledFile]] = {}
    found: set[str] = set()
    for split, files in listed.items():
        splits[split] = []
        for file in files:
            path, key = file.path, None
            # Only files of the same size can be equal, so few are read.
            if path.is_file() and path.stat().st_size in sizes:
                key = digest(path) or os.path.realpath(path)
            if key in added:
                found.add(str(key))
                file = replace(file, label=added[str(key)].label)  # noqa: PLW2901
            splits[split].append(file)
    return splits, found
