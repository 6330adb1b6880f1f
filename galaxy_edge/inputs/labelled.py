"""Labelled folders: ``DATA/{Train,Valid,Test}/{NEGATIVE,POSITIVE}/*`` -> files with labels.

Shared by training (which learns from them) and export (which calibrates and validates on them).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.formats import FITS_SUFFIXES, SUFFIXES, has_image_suffix
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.inputs.preprocessing import Preprocessing

Split: TypeAlias = Literal["Train", "Valid", "Test"]
REQUIRED: tuple[Split, ...] = ("Train", "Valid")
OPTIONAL: tuple[Split, ...] = ("Test",)
_KNOWN = ", ".join(sorted(SUFFIXES | FITS_SUFFIXES))


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """One image file and the class its folder gives it.

    Attributes:
        path: the file.
        label: 0 for the negative class, 1 for the positive.
    """

    path: Path
    label: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that could not be decoded, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The decoded files of one split.

    Attributes:
        files: those that could be decoded, in order.
        digests: SHA-256 of each file's bytes.
        pixels: uint8 [N, size, size, 3], RGB.
        labels: uint8 [N], 0 or 1.
        faults: those that could not.
    """

    files: tuple[LabelledFile, ...]
    digests: tuple[str, ...]
    pixels: Pixels
    labels: npt.NDArray[np.uint8]
    faults: tuple[Fault, ...]


def scan(
    data: Path,
    classes: tuple[str, str],
    required: Sequence[Split] = REQUIRED,
    optional: Sequence[Split] = OPTIONAL,
) -> tuple[dict[Split, list[LabelledFile]], list[str]]:
    """List the labelled files below a folder; names of splits and classes match in any case.

    Images may lie in folders below a class folder; files whose suffix is not an image's and
    hidden ones are passed over. Files come in sorted order, the negative class first.

    Returns:
        The files of each split, and a sentence for every missing, doubled or empty folder.
    """
    problems: list[str] = []
    splits: dict[Split, list[LabelledFile]] = {}
    if not data.is_dir():
        return splits, ["there is no such folder"]
    for split in (*required, *optional):
        folder = child(data, split, problems, needed=split in required)
        if folder is None:
            continue
        files: list[LabelledFile] = []
        for label, name in enumerate(classes):
            class_folder = child(folder, name, problems, needed=True)
            if class_folder is None:
                continue
            found = [LabelledFile(path, label) for path in images_below(class_folder)]
            if not found:
                problems.append(f"{class_folder} holds no images ({_KNOWN})")
            files += found
        splits[split] = files
    return splits, problems


def images_below(folder: Path, *, recursive: bool = True) -> list[Path]:
    """The image files of a folder, sorted; hidden files and folders are passed over.

    Links are followed, each folder once. A folder that cannot be listed is itself in the result,
    so that whoever reads it says so.
    """
    found: list[Path] = []
    seen: set[str] = set()
    unlisted: list[Path] = []
    walk = os.walk(
        folder, followlinks=True, onerror=lambda error: unlisted.append(Path(error.filename))
    )
    for root, folders, names in walk:
        if (place := os.path.realpath(root)) in seen:
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) * recursive
        found += [
            Path(root, name)
            for name in sorted(names)
            if has_image_suffix(name) and not name.startswith(".")
        ]
    return found + sorted(unlisted)


def child(parent: Path, name: str, problems: list[str], *, needed: bool) -> Path | None:
    """The folder of this name, in any case, in another one.

    Returns:
        None, with a sentence more in ``problems``, where two match, or none does and one is needed.
    """
    found = sorted(
        entry
        for entry in parent.iterdir()
        if entry.name.casefold() == name.casefold() and entry.is_dir()
    )
    if len(found) > 1:
        problems.append(f"{parent} has {' and '.join(entry.name for entry in found)}: keep one")
        return None
    if not found:
        if needed:
            problems.append(f"{parent} has no folder {name}")
        return None
    return found[0]


def load(
    files: Sequence[LabelledFile],
    preprocessing: Preprocessing,
    progress: Callable[[int], None] = lambda done: None,
) -> Loaded:
    """Decode files in threads (Pillow releases the GIL), keeping their order.

    Needs 3 x size x size bytes of memory a file.

    Args:
        files: what to decode.
        preprocessing: the steps.
        progress: called with the number of files done so far.
    """
    size = preprocessing.size
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    good: list[LabelledFile] = []
    digests: list[str] = []
    faults: list[Fault] = []
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda file: _decode(file, preprocessing), files)
        for done, (file, (sha256, image)) in enumerate(zip(files, results, strict=True), start=1):
            if isinstance(image, str):
                faults.append(Fault(file.path, image))
            else:
                pixels[len(good)] = image
                good.append(file)
                digests.append(sha256)
            progress(done)
    labels = np.array([file.label for file in good], np.uint8)
    return Loaded(tuple(good), tuple(digests), pixels[: len(good)], labels, tuple(faults))


def digest(splits: Mapping[Split, Loaded]) -> str:
    """One SHA-256 over what the splits hold: digests and labels, whatever the files' names."""
    total = hashlib.sha256()
    for split, loaded in sorted(splits.items()):
        pairs = zip(loaded.labels.tolist(), loaded.digests, strict=True)
        for label, sha256 in sorted(pairs):
            total.update(f"{split} {label} {sha256}\n".encode())
    return total.hexdigest()


def _decode(file: LabelledFile, preprocessing: Preprocessing) -> tuple[str, Pixels | str]:
    """The digest of a file's bytes and its pixels, or instead of these what is wrong with it."""
    try:
        content = file.path.read_bytes()
        return hashlib.sha256(content).hexdigest(), decode(content, preprocessing)
    except OSError as error:
        return "", error.strerror or str(error)
    except ImageError as error:
        return "", str(error)
