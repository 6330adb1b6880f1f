"""Add labelled files to others, such as those that `galaxy-edge review` has labelled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from galaxy_edge.inputs.catalogue import digest, fault
from galaxy_edge.inputs.label_file import LABEL, PATH, is_label_file, labels_in
from galaxy_edge.inputs.labelled import REQUIRED, LabelledFile, Split
from galaxy_edge.inputs.tables import rows


@dataclass(frozen=True, slots=True)
class Joined:
    """Labelled files with others added.

    Attributes:
        splits: the files of each split.
        problems: a sentence for each row that cannot be used, and each class without images.
        relabelled: how many files were listed already and have the label of the added one now.
        new: how many were added to the training images.
    """

    splits: dict[Split, list[LabelledFile]]
    problems: list[str]
    relabelled: int
    new: int


def join(
    listed: Mapping[Split, Sequence[LabelledFile]],
    catalogues: Sequence[Path],
    classes: Sequence[str],
) -> Joined:
    """Add the files of catalogues to the listed ones.

    An image that is listed, by its path or as a copy with the same bytes, keeps its place and
    split and gets the label of the last catalogue that has it: a test image is never trained on.
    A new image joins Train, so that validation and test images stay comparable.

    Args:
        listed: the files of each split.
        catalogues: tables with the columns ``path``, relative to the table or absolute, and
            ``label``. An empty label takes an earlier one away.
        classes: names of the classes, in the order of the labels; case does not matter.

    Raises:
        UsageError: a table cannot be read, or lacks a column.
    """
    places = {name.casefold(): label for label, name in enumerate(classes)}
    problems: list[str] = []
    added: dict[str, LabelledFile] = {}
    for catalogue in catalogues:
        root = catalogue.absolute().parent
        for number, (name, label) in enumerate(_labels(catalogue).items(), start=1):
            problem = fault(name, root, PATH)
            if problem is None and label.casefold() not in places:
                known = ", ".join(classes)
                problem = f"{name}: {label} is not one of the classes ({known})"
            if problem is not None:
                problems.append(f"row {number} of {catalogue}: {problem}")
                continue
            file = LabelledFile(root / name, places[label.casefold()])
            # A file that cannot be read goes to training, where decoding reports it.
            key = digest(file.path) or os.path.realpath(file.path)
            added.pop(key, None)
            added[key] = file
    splits, found = _relabelled(listed, added)
    new = [file for key, file in added.items() if key not in found]
    splits["Train"] = [*splits.get("Train", []), *new]
    if not problems:
        problems += [
            f"{split} has no image of {name} with the added labels"
            for split in REQUIRED
            for label, name in enumerate(classes)
            if splits.get(split) and not any(file.label == label for file in splits[split])
        ]
    return Joined(splits, problems, len(found), len(new))


def _labels(catalogue: Path) -> dict[str, str]:
    """The last label of each path, without those that were taken away."""
    if is_label_file(catalogue):
        return labels_in(catalogue)
    found = {row[PATH]: row[LABEL] for row in rows(catalogue, (PATH, LABEL))}
    return {path: label for path, label in found.items() if label}


def _relabelled(
    listed: Mapping[Split, Sequence[LabelledFile]], added: Mapping[str, LabelledFile]
) -> tuple[dict[Split, list[LabelledFile]], set[str]]:
    """The listed files with the labels of the added ones, and which of those are listed."""
    # Only files of the same length can be equal, so few are read.
    lengths = {file.path.stat().st_size for file in added.values()}
    splits: dict[Split, list[LabelledFile]] = {}
    found: set[str] = set()
    for split, files in listed.items():
        splits[split] = []
        for file in files:
            path, key = file.path, None
            if path.is_file() and path.stat().st_size in lengths:
                key = digest(path) or os.path.realpath(path)
            if key in added:
                found.add(str(key))
                file = replace(file, label=added[str(key)].label)  # noqa: PLW2901
            splits[split].append(file)
    return splits, found
