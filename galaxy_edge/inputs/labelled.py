"""List and decode labelled folders: ``DATA/{Train,Valid,Test}/CLASS/*``.

`train` trains on them; `export` calibrates and validates on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs.formats import FITS_SUFFIXES, SUFFIXES
from galaxy_edge.inputs.images import Decoded, Pixels, decoded
from galaxy_edge.inputs.listing import child, images_below
from galaxy_edge.inputs.parallel import in_threads
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.inputs.source import Source

Split: TypeAlias = Literal["Train", "Valid", "Test"]
REQUIRED: tuple[Split, ...] = ("Train", "Valid")
OPTIONAL: tuple[Split, ...] = ("Test",)
_KNOWN = ", ".join(sorted(SUFFIXES | FITS_SUFFIXES))


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file and the class of its folder, or an image of a container and its label.

    Attributes:
        path: the file, or the place in a container.
        label: index of the class. Of two classes, 0 is the negative and 1 the positive one.
        source: where it comes from: the first folder below the class folder, or a column of the
            catalogue; empty if there is none.
    """

    path: Path
    label: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that could not be decoded, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The decoded files of one split.

    Attributes:
        files: the files that could be decoded, in order.
        digests: SHA-256 of each file's bytes.
        pixels: uint8 [N, size, size, 3], RGB.
        labels: uint8 [N], indices of classes.
        faults: the files that could not be decoded.
    """

    files: tuple[LabelledFile, ...]
    digests: tuple[str, ...]
    pixels: Pixels
    labels: npt.NDArray[np.uint8]
    faults: tuple[Fault, ...]


def classes_in(data: Path) -> tuple[str, ...]:
    """The classes of a data folder: the folders in ``Train``, sorted; of two, Fake before Real.

    Raises:
        DatasetError: there is no such folder, or fewer than two classes.
    """
    problems: list[str] = []
    train = child(data, "Train", problems, needed=True) if data.is_dir() else None
    if train is None:
        raise DatasetError(str(data), problems or ["there is no such folder; check the path"])
    names = sorted(
        entry.name for entry in train.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if {name.casefold() for name in names} == {"fake", "real"}:
        return "Fake", "Real"
    if len(names) < 2:
        found = f"only a folder {names[0]}" if names else "no folders"
        raise DatasetError(
            str(data), [f"{train} has {found}; two or more class folders are needed"]
        )
    return tuple(names)


def scan(
    data: Path,
    classes: Sequence[str],
    required: Sequence[Split] = REQUIRED,
    optional: Sequence[Split] = OPTIONAL,
) -> tuple[dict[Split, list[LabelledFile]], list[str]]:
    """List the labelled files of a folder; upper and lower case in folder names do not matter.

    Images may be in subfolders of a class folder. Hidden files and files without the suffix of an
    image are skipped. Files are listed class by class, in sorted order.

    Args:
        data: the folder of the splits.
        classes: names of the class folders, in the order of the labels.
        required: splits that must exist.
        optional: splits that may be missing.

    Returns:
        The files of each split, and one sentence for each missing, duplicate or empty folder.
    """
    problems: list[str] = []
    splits: dict[Split, list[LabelledFile]] = {}
    if not data.is_dir():
        return splits, ["there is no such folder; check the path"]
    for split in (*required, *optional):
        folder = child(data, split, problems, needed=split in required)
        if folder is None:
            continue
        files: list[LabelledFile] = []
        for label, name in enumerate(classes):
            class_folder = child(folder, name, problems, needed=True)
            if class_folder is None:
                continue
            found = [
                LabelledFile(path, label, source_of(path.relative_to(class_folder)))
                for path in images_below(class_folder)
            ]
            if not found:
                problems.append(f"{class_folder} holds no images ({_KNOWN})")
            files += found
        splits[split] = files
    return splits, problems


def source_of(path: Path) -> str:
    """The source of a file: the first folder of its path below the class folder, or empty."""
    return path.parts[0] if len(path.parts) > 1 else ""


def load(
    files: Sequence[LabelledFile],
    preprocessing: Preprocessing,
    progress: Callable[[int], None] = lambda done: None,
    sources: Iterable[Source] | None = None,
) -> Loaded:
    """Decode files in threads and keep their order (Pillow releases the interpreter lock).

    Needs 3 x size x size bytes of memory per file.

    Args:
        files: the files to decode.
        preprocessing: the steps from an image to the network's input.
        progress: called with the number of files decoded so far.
        sources: the images of a container, in the order of ``files``; None to read the files.
    """
    size = preprocessing.size
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    good: list[LabelledFile] = []
    digests: list[str] = []
    faults: list[Fault] = []
    images = (Source(file.path) for file in files) if sources is None else sources
    with in_threads(lambda source: _decode(source, preprocessing), images) as results:
        for done, (file, result) in enumerate(zip(files, results, strict=True), start=1):
            if isinstance(result.pixels, ImageError):
                faults.append(Fault(file.path, str(result.pixels)))
            else:
                pixels[len(good)] = result.pixels
                good.append(file)
                digests.append(str(result.sha256))
            progress(done)
    labels = np.array([file.label for file in good], np.uint8)
    return Loaded(tuple(good), tuple(digests), pixels[: len(good)], labels, tuple(faults))


def digest(splits: Mapping[Split, Loaded]) -> str:
    """Compute one SHA-256 of all splits, from digests and labels; file names do not matter."""
    total = hashlib.sha256()
    for split, loaded in sorted(splits.items()):
        pairs = zip(loaded.labels.tolist(), loaded.digests, strict=True)
        for label, sha256 in sorted(pairs):
            total.update(f"{split} {label} {sha256}\n".encode())
    return total.hexdigest()


def _decode(source: Source, preprocessing: Preprocessing) -> Decoded:
    return decoded(source, preprocessing, digest=True)
