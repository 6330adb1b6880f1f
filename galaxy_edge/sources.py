"""Command line arguments -> image paths: files, folders, globs, and a list on stdin."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from galaxy_edge.folders import images_below


def expand(arguments: Iterable[str], stdin: BinaryIO, *, recursive: bool = False) -> Iterator[str]:
    """Turn arguments into paths, in their order.

    A file is itself. A folder is its images, sorted, and with ``recursive`` those of the folders
    below it too. A pattern that is no file is what it matches, sorted (``**`` matches folders of
    any depth). ``-`` is a list of paths on stdin, one a line, each taken literally. What names
    nothing is passed on as it is: reading it will say what is wrong, in its own row.
    """
    for argument in arguments:
        if argument == "-":
            yield from (os.fsdecode(name) for line in stdin if (name := line.rstrip(b"\r\n")))
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            # Path.glob takes no absolute patterns.
            for match in sorted(glob.glob(argument, recursive=True)) or [argument]:  # noqa: PTH207
                yield from _images(match, recursive=recursive)
        else:
            yield from _images(argument, recursive=recursive)


def _images(path: str, *, recursive: bool) -> Iterator[str]:
    # Unlike Path.is_dir, this says no to a path that cannot be looked at, whatever the reason.
    is_folder = os.path.isdir(path)  # noqa: PTH112
    found = images_below(Path(path), recursive=recursive) if is_folder else []
    yield from map(str, found) if found else [path]
