"""The user's real cutouts: read, brought to one size, and split in halves by what they show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs import images
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import images_below
from galaxy_edge.inputs.preprocessing import Preprocessing

Half: TypeAlias = Literal["Train", "Valid"]
HALVES: tuple[Half, Half] = ("Train", "Valid")
#: The documented counts, 3,000 and 1,000, as a share.
_VALID_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Cutout:
    """One real image.

    Attributes:
        path: the file it was first met in.
        digest: SHA-256 of the decoded image in its own size, hexadecimal: not of the file that
            holds it, nor of what ``pixels`` makes of it.
        pixels: uint8 (size, size, 3), RGB.
    """

    path: Path
    digest: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Source:
    """The cutouts of one folder.

    Attributes:
        name: the folder's.
        halves: "Train" and "Valid", each in the order of its digests. No image is in two halves,
            or in two sources.
        faults: files that could not be read, and why.
    """

    name: str
    halves: dict[Half, tuple[Cutout, ...]]
    faults: tuple[tuple[Path, str], ...]


def read(
    folders: Sequence[Path],
    preprocessing: Preprocessing,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Source]:
    """Read folders of real cutouts, one source each.

    A folder that has `Train` and `Valid` inside is split as it stands. Otherwise the digest of an
    image decides alone, one in four for validation: an image never changes sides when others come
    or go, and its doubles are with it.

    Args:
        folders: searched with the folders below them.
        preprocessing: its ``size`` and filter make the cutouts.
        progress: called with the files done so far and their number.

    Raises:
        DatasetError: with every folder that is missing or empty, named like another, holds fakes,
            or has fewer than two readable images for a half.
    """
    _check_names(folders)
    listed = [_listed(folder) for folder in folders]
    problems = [
        f"{folder} holds no images to learn from"
        for folder, files in zip(folders, listed, strict=True)
        if not files
    ]
    problems += [
        f"{path} would be learned from: give the folders of real images alone"
        for folder, files in zip(folders, listed, strict=True)
        for path in (_fakes(folder) if files else ())
    ]
    if problems:
        raise DatasetError(", ".join(map(str, folders)), problems)
    total, done = sum(map(len, listed)), 0
    found: list[_Found] = []
    with ThreadPoolExecutor() as pool:
        for folder, files in zip(folders, listed, strict=True):
            source = _Found(folder.absolute().name)
            results = pool.map(partial(_decoded, preprocessing), [path for path, _ in files])
            for (path, half), result in zip(files, results, strict=True):
                source.add(path, half, result)
                done += 1
                progress(done, total)
            found.append(source)
    sources = _without_doubles(found)
    short = [
        f"{source.name} has {len(source.halves[half])} readable images for {half}, and needs two"
        + "".join(f" ({path}: {fault})" for path, fault in source.faults[:1])
        for source in sources
        for half in HALVES
        if len(source.halves[half]) < 2
    ]
    if short:
        raise DatasetError(", ".join(map(str, folders)), short)
    return sources


def half_of(digest: str) -> Half:
    """The half an image belongs to, by its digest alone."""
    return "Valid" if int(digest[:16], 16) < _VALID_SHARE * 16**16 else "Train"


class _Found:
    """What was found in a folder, by digest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.halves: dict[Half, dict[str, Cutout]] = {half: {} for half in HALVES}
        self.faults: list[tuple[Path, str]] = []

    def add(self, path: Path, half: Half | None, result: tuple[str, Pixels] | str) -> None:
        if isinstance(result, str):
            self.faults.append((path, result))
            return
        digest, pixels = result
        self.halves[half or half_of(digest)].setdefault(digest, Cutout(path, digest, pixels))


def _without_doubles(found: list[_Found]) -> list[Source]:
    """Keep each image once, so that no generator learns from what another folder validates with.

    It stays in a validation half, if it is in one, and in the first source of those that have it.
    """
    seen: set[str] = set()
    kept: list[dict[Half, tuple[Cutout, ...]]] = [{} for _ in found]
    for half in reversed(HALVES):
        for source, halves in zip(found, kept, strict=True):
            new = sorted(source.halves[half].keys() - seen)
            seen.update(new)
            halves[half] = tuple(source.halves[half][digest] for digest in new)
    return [
        Source(source.name, halves, tuple(source.faults))
        for source, halves in zip(found, kept, strict=True)
    ]


def _check_names(folders: Sequence[Path]) -> None:
    """Sources are told apart by the names of their folders, which become folders again."""
    problems = []
    names: list[str] = []
    for folder in folders:
        name = folder.absolute().name
        if not name or name.startswith("."):
            problems.append(f"{folder} cannot name a source; give a folder whose name is no dot's")
        if name.casefold() in names:
            problems.append(f"{folder}: another folder is called {name}, too")
        names.append(name.casefold())
    if problems:
        raise DatasetError(", ".join(map(str, folders)), problems)


def _fakes(folder: Path) -> list[Path]:
    """Folders of fakes in a folder, or in its halves, which somebody labelled."""
    below = [folder, *(entry for entry in folder.iterdir() if entry.is_dir())]
    return sorted(
        entry
        for place in below
        for entry in place.iterdir()
        if entry.is_dir() and entry.name.casefold() == "fake"
    )


def _listed(folder: Path) -> list[tuple[Path, Half | None]]:
    if not folder.is_dir():
        return []
    below: dict[str, Path] = {
        entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_dir()
    }
    if all(half.casefold() in below for half in HALVES):
        return [(path, half) for half in HALVES for path in images_below(below[half.casefold()])]
    return [(path, None) for path in images_below(folder)]


def _decoded(preprocessing: Preprocessing, path: Path) -> tuple[str, Pixels] | str:
    try:
        image = images.read(path, preprocessing.stretch)
        digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
        return digest, images.fit(image, preprocessing)
    except (ImageError, OSError) as error:
        return str(error)
