"""The user's real cutouts: read, resized, and split by the content of the images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs import images
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.labelled import Split
from galaxy_edge.inputs.listing import images_below
from galaxy_edge.inputs.parallel import in_threads
from galaxy_edge.inputs.preprocessing import Preprocessing

#: The splits of a synthesis; it has no "Test".
SPLITS: tuple[Split, ...] = ("Train", "Valid")
#: From the documented counts: 1,000 validation images to 3,000 training images.
_VALID_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Cutout:
    """One real image.

    Attributes:
        path: the first file found with this image.
        digest: SHA-256 of the decoded image at its original size, hexadecimal. It depends neither
            on the file format nor on the size of ``pixels``.
        pixels: uint8 (size, size, 3), RGB.
    """

    path: Path
    digest: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Source:
    """The cutouts of one folder.

    Attributes:
        name: name of the folder.
        splits: "Train" and "Valid", each sorted by digest. No image is in two splits or in two
            sources.
        faults: files that could not be read, and why.
    """

    name: str
    splits: dict[Split, tuple[Cutout, ...]]
    faults: tuple[tuple[Path, str], ...]


def read(
    folders: Sequence[Path],
    preprocessing: Preprocessing,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Source]:
    """Read folders of real cutouts, one source each.

    A folder that contains `Train` and `Valid` keeps that split. In any other folder the digest of
    an image decides its split; about one in four goes to validation. So an image never changes
    split when others are added or removed, and duplicates are always in the same split.

    Args:
        folders: searched recursively.
        preprocessing: its ``size`` and filter make the cutouts.
        progress: called with the number of files done so far and the total.

    Raises:
        DatasetError: lists every folder that is missing or empty, has the same name as another,
            contains fakes, or has fewer than two readable images for a split.
    """
    _check_names(folders)
    listed = [_list_images(folder) for folder in folders]
    problems = [
        f"{folder} contains no images; give a folder of real cutouts"
        for folder, files in zip(folders, listed, strict=True)
        if not files
    ]
    problems += [
        f"{path} contains fakes, which would be used as real images: give only folders of real "
        "images"
        for folder, files in zip(folders, listed, strict=True)
        for path in (_fake_folders(folder) if files else ())
    ]
    if problems:
        raise DatasetError(", ".join(map(str, folders)), problems)
    total, done = sum(map(len, listed)), 0
    found: list[_Found] = []
    for folder, files in zip(folders, listed, strict=True):
        source = _Found(folder.absolute().name)
        with in_threads(partial(_decode, preprocessing), [path for path, _ in files]) as results:
            for (path, split), result in zip(files, results, strict=True):
                source.add(path, split, result)
                done += 1
                progress(done, total)
        found.append(source)
    sources = _without_duplicates(found)
    short = [
        f"{source.name}: {len(source.splits[split])} readable images for {split}; at least two are "
        "needed" + "".join(f" ({path}: {fault})" for path, fault in source.faults[:1])
        for source in sources
        for split in SPLITS
        if len(source.splits[split]) < 2
    ]
    if short:
        raise DatasetError(", ".join(map(str, folders)), short)
    return sources


def split_of(digest: str) -> Split:
    """The split of an image; it depends only on the digest."""
    return "Valid" if int(digest[:16], 16) < _VALID_SHARE * 16**16 else "Train"


class _Found:
    """The images of one folder, by split and digest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.splits: dict[Split, dict[str, Cutout]] = {split: {} for split in SPLITS}
        self.faults: list[tuple[Path, str]] = []

    def add(self, path: Path, split: Split | None, result: tuple[str, Pixels] | str) -> None:
        if isinstance(result, str):
            self.faults.append((path, result))
            return
        digest, pixels = result
        self.splits[split or split_of(digest)].setdefault(digest, Cutout(path, digest, pixels))


def _without_duplicates(found: list[_Found]) -> list[Source]:
    """Keep each image once, so that no generator trains on another folder's validation images.

    An image that is in any validation split stays there. Among several sources, the first that
    has the image keeps it.
    """
    seen: set[str] = set()
    kept: list[dict[Split, tuple[Cutout, ...]]] = [{} for _ in found]
    # Validation first.
    for split in reversed(SPLITS):
        for source, splits in zip(found, kept, strict=True):
            new = sorted(source.splits[split].keys() - seen)
            seen.update(new)
            splits[split] = tuple(source.splits[split][digest] for digest in new)
    return [
        Source(source.name, splits, tuple(source.faults))
        for source, splits in zip(found, kept, strict=True)
    ]


def _check_names(folders: Sequence[Path]) -> None:
    """Check that the folders' names are unique and usable, as the output has folders of them."""
    problems = []
    names: list[str] = []
    for folder in folders:
        name = folder.absolute().name
        if not name or name.startswith("."):
            problems.append(
                f"{folder} cannot name a source; give a folder whose name does not start with a dot"
            )
        if name.casefold() in names:
            problems.append(f"{folder}: another folder is also called {name}; rename one of them")
        names.append(name.casefold())
    if problems:
        raise DatasetError(", ".join(map(str, folders)), problems)


def _fake_folders(folder: Path) -> list[Path]:
    """The folders called "Fake" in a folder or one level below it: a labelled data set's."""
    below = [folder, *(entry for entry in folder.iterdir() if entry.is_dir())]
    return sorted(
        entry
        for place in below
        for entry in place.iterdir()
        if entry.is_dir() and entry.name.casefold() == "fake"
    )


def _list_images(folder: Path) -> list[tuple[Path, Split | None]]:
    """The image files of a folder, each with its split if the folder has one."""
    if not folder.is_dir():
        return []
    below: dict[str, Path] = {
        entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_dir()
    }
    if all(split.casefold() in below for split in SPLITS):
        return [(path, split) for split in SPLITS for path in images_below(below[split.casefold()])]
    return [(path, None) for path in images_below(folder)]


def _decode(preprocessing: Preprocessing, path: Path) -> tuple[str, Pixels] | str:
    """The digest and the cutout of an image file, or what is wrong with it."""
    try:
        image = images.read(path, preprocessing.stretch)
        digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
        return digest, images.fit(image, preprocessing)
    except (ImageError, OSError) as error:
        return str(error)
