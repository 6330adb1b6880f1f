"""Find image files in a folder, and a folder by its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from galaxy_edge.inputs.formats import has_image_suffix


def images_below(
    folder: Path, *, recursive: bool = True, wanted: Callable[[str], bool] = has_image_suffix
) -> list[Path]:
    """List the image files of a folder, sorted; hidden files and folders are skipped.

    Args:
        folder: the folder.
        recursive: include the folders below it.
        wanted: whether a file of this name is listed.

    Links are followed, but each folder is listed only once. A folder that cannot be listed is
    itself in the result, so that reading it reports the reason.
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
            Path(root, name) for name in sorted(names) if wanted(name) and not name.startswith(".")
        ]
    return found + sorted(unlisted)


def partitions_below(folder: Path) -> list[Path]:
    """List the Parquet files at any depth in a folder, sorted: the partitions of a table.

    Files whose names begin with an underscore or a dot hold metadata, and the file
    ``data_thumbnail.parquet`` of a HATS catalogue repeats some of its rows.
    """
    return sorted(path for path in folder.rglob("*.parquet") if is_partition(path.name))


def is_partition(name: str) -> bool:
    """Whether a file of this name is a partition of a table: see `partitions_below`."""
    is_data = not name.startswith(("_", ".")) and name != "data_thumbnail.parquet"
    return is_data and name.endswith(".parquet")


def child(parent: Path, name: str, problems: list[str], *, needed: bool) -> Path | None:
    """Find a folder in another folder by its name; upper and lower case do not matter.

    Args:
        parent: the folder to search.
        name: the name to find.
        problems: gets a sentence if the folder is missing and needed, or if several match.
        needed: whether a missing folder is a problem.

    Returns:
        The folder, or None if none or more than one matches.
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
