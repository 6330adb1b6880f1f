"""A catalogue of labelled images: a table with a column of paths and one of classes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.labelled import OPTIONAL, REQUIRED, LabelledFile, Split
from galaxy_edge.inputs.tables import Columns, rows

_SPLITS: tuple[Split, ...] = (*REQUIRED, *OPTIONAL)
_KNOWN = ", ".join(_SPLITS)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a catalogue holds.

    Attributes:
        root: the folder that its relative paths start from.
        classes: names of the classes, sorted; of two, Fake before Real.
        splits: the labelled files of each split.
        problems: a sentence for each row that cannot be used.
    """

    root: Path
    classes: tuple[str, ...]
    splits: dict[Split, list[LabelledFile]]
    problems: tuple[str, ...]


def read(path: Path, columns: Columns, classes: Sequence[str] | None = None) -> Catalogue:
    """Read a catalogue.

    Without a column for it, the digest of an image's bytes decides its split: images that are
    equal are in one split, and an image never changes sides when others come or go.

    Args:
        path: the table.
        columns: which columns hold what.
        classes: the classes, in their order; None for those in the table.

    Raises:
        UsageError: the table cannot be read, or lacks a column.
        DatasetError: it has fewer than two classes.
    """
    names = [columns.path, columns.label, *([] if columns.split is None else [columns.split])]
    found = list(rows(path, names))
    root = path.absolute().parent
    counts = Counter(row[columns.label] for row in found if row[columns.label])
    once = {name for name, count in counts.items() if count == 1}
    if classes is None:
        kept = sorted(counts.keys() - once)
        pair = {name.casefold() for name in kept} == {"fake", "real"}
        classes = ("Fake", "Real") if pair else tuple(kept)
        if len(classes) < 2:
            raise DatasetError(
                str(path),
                [f"the column {columns.label} has fewer than two classes with two images or more"],
            )
    places = {name.casefold(): label for label, name in enumerate(classes)}
    problems: list[str] = []
    good: list[tuple[LabelledFile, Split | None]] = []
    for number, row in enumerate(found, start=1):
        problem, split = _problem(row, columns, root, once, places)
        if problem is not None:
            problems.append(f"row {number}: {problem}")
        else:
            label = places[row[columns.label].casefold()]
            good.append((LabelledFile(root / row[columns.path], label), split))
    splits: dict[Split, list[LabelledFile]] = {split: [] for split in REQUIRED}
    with ThreadPoolExecutor() as pool:
        digests = pool.map(_digest, [file.path for file, split in good if split is None])
        for file, split in good:
            # A file that cannot be read goes to training, where decoding reports it.
            chosen = split or _split_of(next(digests), columns.valid)
            splits.setdefault(chosen, []).append(file)
    for split in REQUIRED:
        problems += [
            f"{split} has no image of {name}"
            for label, name in enumerate(classes)
            if not any(file.label == label for file in splits[split])
        ]
    return Catalogue(root, tuple(classes), splits, tuple(problems))


def _problem(
    row: dict[str, str], columns: Columns, root: Path, once: set[str], places: dict[str, int]
) -> tuple[str | None, Split | None]:
    """What is wrong with a row, or its split if the catalogue names one."""
    path, label = row[columns.path], row[columns.label]
    named = None if columns.split is None else row[columns.split]
    split = next((one for one in _SPLITS if one.casefold() == (named or "").casefold()), None)
    known = label.casefold() in places
    faults = (
        (not path, f"{columns.path} is empty"),
        (not label, f"{path}: {columns.label} is empty"),
        (not known and label in once, f"{path}: it is the only image of its class, {label}"),
        (not known, f"{path}: {label} is not one of the classes"),
        (named is not None and split is None, f"{path}: {named!r} is not a split ({_KNOWN})"),
        (bool(path) and not (root / path).exists(), f"{path}: there is no such file"),
    )
    return next((text for wrong, text in faults if wrong), None), split


def _digest(path: Path) -> str | None:
    try:
        with Opened((path,)) as opened:
            return opened.sha256()
    except (ImageError, OSError):
        return None


def _split_of(digest: str | None, valid: float) -> Split:
    digest = digest or hashlib.sha256().hexdigest()
    return "Valid" if int(digest[:16], 16) < valid * 16**16 else "Train"
