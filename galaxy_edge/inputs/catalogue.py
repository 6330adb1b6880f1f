"""A catalogue of labelled images: a table with a column of paths and one of classes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs.content import Opened
from galaxy_edge.inputs.formats import container_kind
from galaxy_edge.inputs.label_file import LABEL, PATH, is_label_file, labels_in
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


@dataclass(frozen=True, slots=True)
class Entry:
    """A labelled image, before it is known whether it can be used.

    Attributes:
        name: the path, for messages.
        path: the file, or the place in a container; None if the catalogue has none.
        label: the name of its class, perhaps empty.
        split: the name of its split; None if the content decides.
        digest: of its content; None if it cannot be read, or if the caller computes it.
        fault: why it cannot be used; None if no reason is known.
        source: where it comes from, perhaps empty.
    """

    name: str
    path: Path | None
    label: str
    split: str | None = None
    digest: str | None = None
    fault: str | None = None
    source: str = ""


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
    name = columns.path or ""
    optional = (columns.split, columns.source)
    names = [name, columns.label, *(one for one in optional if one is not None)]
    root = path.absolute().parent
    entries = [
        Entry(
            row[name],
            root / row[name] if row[name] else None,
            row[columns.label],
            None if columns.split is None else row[columns.split],
            fault=fault(row[name], root, name),
            source="" if columns.source is None else row[columns.source],
        )
        for row in _rows(path, names)
    ]
    return arrange(entries, path, columns, classes, _digests)


def _rows(path: Path, names: Sequence[str]) -> Iterable[Mapping[str, str]]:
    # A file of labels may name an image several times.
    if {*names} == {PATH, LABEL} and is_label_file(path):
        return [{PATH: name, LABEL: label} for name, label in labels_in(path).items()]
    return rows(path, names)


def arrange(
    entries: Sequence[Entry],
    path: Path,
    columns: Columns,
    classes: Sequence[str] | None,
    digests: Callable[[list[Entry]], Iterable[str | None]],
) -> Catalogue:
    """Divide labelled images into splits, and say which cannot be used.

    Args:
        entries: the images.
        path: the catalogue or the container.
        columns: their names, for messages, and the share of the validation images.
        classes: as for `read`.
        digests: the digests of the entries whose content decides their split.

    Raises:
        DatasetError: there are fewer than two classes.
    """
    counts = Counter(entry.label for entry in entries if entry.label)
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
    good: list[tuple[Entry, LabelledFile, Split | None]] = []
    for number, entry in enumerate(entries, start=1):
        problem, split = _problem(entry, columns, once, places)
        if problem is not None or entry.path is None:
            problems.append(f"row {number}: {problem}")
        else:
            file = LabelledFile(entry.path, places[entry.label.casefold()], entry.source)
            good.append((entry, file, split))
    splits: dict[Split, list[LabelledFile]] = {split: [] for split in REQUIRED}
    found = iter(digests([entry for entry, _, split in good if split is None]))
    for _, file, split in good:
        # A file that cannot be read goes to training, where decoding reports it.
        chosen = split or _split_of(next(found), columns.valid)
        splits.setdefault(chosen, []).append(file)
    for split in REQUIRED:
        problems += [
            f"{split} has no image of {name}"
            for label, name in enumerate(classes)
            if not any(file.label == label for file in splits[split])
        ]
    return Catalogue(path.absolute().parent, tuple(classes), splits, tuple(problems))


def fault(path: str, root: Path, column: str) -> str | None:
    """Why the file of a row cannot be used; None if it exists.

    Args:
        path: as the catalogue has it.
        root: the folder of the catalogue.
        column: name of the column, for the message.
    """
    if not path:
        return f"{column} is empty"
    container, mark, _ = path.partition("#")
    if mark and container_kind(container) is not None and not (root / path).exists():
        return f"{path}: an image in a container; add its label to folders with --add"
    return None if (root / path).exists() else f"{path}: there is no such file"


def _problem(
    entry: Entry, columns: Columns, once: set[str], places: dict[str, int]
) -> tuple[str | None, Split | None]:
    """What is wrong with an image, or its split if the catalogue names one."""
    name, label, named = entry.name, entry.label, entry.split
    split = next((one for one in _SPLITS if one.casefold() == (named or "").casefold()), None)
    known = label.casefold() in places
    faults = (
        (entry.path is None, entry.fault),
        (not label, f"{name}: {entry.fault or f'{columns.label} is empty'}"),
        (not known and label in once, f"{name}: it is the only image of its class, {label}"),
        (not known, f"{name}: {label} is not one of the classes"),
        (named is not None and split is None, f"{name}: {named!r} is not a split ({_KNOWN})"),
        (entry.fault is not None, entry.fault),
    )
    return next((text for wrong, text in faults if wrong), None), split


def _digests(entries: list[Entry]) -> Iterator[str | None]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(digest, [entry.path for entry in entries if entry.path])


def digest(path: Path) -> str | None:
    """SHA-256 of the bytes of an image file, hexadecimal; None if it cannot be read."""
    try:
        with Opened((path,)) as opened:
            return opened.sha256()
    except (ImageError, OSError):
        return None


def _split_of(digest: str | None, valid: float) -> Split:
    digest = digest or hashlib.sha256().hexdigest()
    return "Valid" if int(digest[:16], 16) < valid * 16**16 else "Train"
