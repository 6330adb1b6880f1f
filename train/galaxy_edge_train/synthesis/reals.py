"""The user's real cutouts: read, brought to one size, and split in halves by what they show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.folders import images_below
from galaxy_edge.images import Pixels, decode
from galaxy_edge.manifest import Preprocessing

Half: TypeAlias = Literal["Train", "Valid"]
HALVES: tuple[Half, Half] = ("Train", "Valid")
#: The documented counts, 3,000 and 1,000, as a share.
_VALID_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Cutout:
    """One real image.

    Attributes:
        path: the file it was first met in.
        digest: SHA-256 of its pixels, hexadecimal: of the image, not of the file that holds it.
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
        halves: "Train" and "Valid", each in the order of its digests, without doubles.
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
        DatasetError: with every folder that is missing, empty, or named like another.
    """
    listed = [_listed(folder) for folder in folders]
    problems = [
        f"{folder} holds no images to learn from"
        for folder, files in zip(folders, listed, strict=True)
        if not files
    ]
    names = [folder.resolve().name for folder in folders]
    problems += [
        f"{folder}: another folder is called {name}, too; sources are told apart by their names"
        for index, (folder, name) in enumerate(zip(folders, names, strict=True))
        if name in names[:index]
    ]
    if problems:
        raise DatasetError(", ".join(map(str, folders)), problems)
    total, done = sum(map(len, listed)), 0
    sources = []
    with ThreadPoolExecutor() as pool:
        for name, files in zip(names, listed, strict=True):
            source = _Building(name)
            results = pool.map(partial(_decoded, preprocessing), [path for path, _ in files])
            for (path, half), result in zip(files, results, strict=True):
                source.add(path, half, result)
                done += 1
                progress(done, total)
            sources.append(source.built())
    short = [
        f"{source.name} has {len(source.halves[half])} readable images for {half}, and needs two"
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


class _Building:
    """A source under way."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._halves: dict[Half, dict[str, Cutout]] = {half: {} for half in HALVES}
        self._faults: list[tuple[Path, str]] = []

    def add(self, path: Path, half: Half | None, result: Pixels | str) -> None:
        if isinstance(result, str):
            self._faults.append((path, result))
            return
        digest = hashlib.sha256(result.tobytes()).hexdigest()
        found = self._halves[half or half_of(digest)]
        found.setdefault(digest, Cutout(path, digest, result))

    def built(self) -> Source:
        train, valid = (self._halves[half] for half in HALVES)
        # Given halves may share an image under two names: no generator learns from it.
        for digest in valid.keys() & train.keys():
            del train[digest]
        ordered: dict[Half, tuple[Cutout, ...]] = {
            half: tuple(cutouts[digest] for digest in sorted(cutouts))
            for half, cutouts in self._halves.items()
        }
        return Source(self._name, ordered, tuple(self._faults))


def _listed(folder: Path) -> list[tuple[Path, Half | None]]:
    if not folder.is_dir():
        return []
    below: dict[str, Path] = {
        entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_dir()
    }
    if all(half.casefold() in below for half in HALVES):
        return [(path, half) for half in HALVES for path in images_below(below[half.casefold()])]
    return [(path, None) for path in images_below(folder)]


def _decoded(preprocessing: Preprocessing, path: Path) -> Pixels | str:
    try:
        return np.ascontiguousarray(decode(path, preprocessing))
    except (ImageError, OSError) as error:
        return str(error)
