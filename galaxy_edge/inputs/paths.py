"""Command line arguments -> image paths: files, folders, globs, and a list on stdin."""

from __future__ import annotations

import glob
import os
import select
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from galaxy_edge.inputs.formats import split_extension
from galaxy_edge.inputs.labelled import images_below

_BLOCK = 65536


def expand(
    arguments: Iterable[str], stdin: BinaryIO, *, recursive: bool = False
) -> Iterator[str | None]:
    """Turn arguments into paths, in their order.

    A file is itself. A folder is its images, sorted, and with ``recursive`` those of the folders
    below it too. A pattern that is no file is what it matches, sorted (``**`` matches folders of
    any depth); an extension of FITS files, ``*.fits[SCI]``, goes to each of them. ``-`` is a list
    of paths on stdin, one a line, each taken literally; where the list would have to be waited
    for, None comes first. What names nothing is passed on as it is: reading it will say what is
    wrong, in its own row.
    """
    for argument in arguments:
        if argument == "-":
            for line in _lines(stdin):
                if line is None:
                    yield None
                elif name := line.rstrip(b"\r\n"):
                    yield os.fsdecode(name)
            continue
        path, extension = split_extension(argument)
        suffix = "" if extension is None else f"[{extension}]"
        for found in _matches(path):
            yield from (image + suffix for image in _images(found, recursive=recursive))


def _matches(path: str) -> list[str]:
    if not glob.has_magic(path) or os.path.lexists(path):
        return [path]
    # Path.glob takes no absolute patterns.
    return sorted(glob.glob(path, recursive=True)) or [path]  # noqa: PTH207


def _images(path: str, *, recursive: bool) -> Iterator[str]:
    # Unlike Path.is_dir, this says no to a path that cannot be looked at, whatever the reason.
    is_folder = os.path.isdir(path)  # noqa: PTH112
    found = images_below(Path(path), recursive=recursive) if is_folder else []
    yield from map(str, found) if found else [path]


def _lines(stdin: BinaryIO) -> Iterator[bytes | None]:
    """Lines as soon as they come; None where one would have to be waited for."""
    try:
        handle = stdin.fileno()
    except OSError:  # a stream in memory has none, and never makes anyone wait
        yield from stdin
        return
    rest = b""
    while True:
        if not _is_ready(handle, 0):
            yield None
            # Some parents leave a pipe that does not block.
            _is_ready(handle, None)
        block = os.read(handle, _BLOCK)
        if not block:
            break
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    yield rest


def _is_ready(handle: int, patience: float | None) -> bool:
    try:
        return bool(select.select([handle], [], [], patience)[0])
    except (OSError, ValueError):  # Windows asks sockets alone; select takes no high handles
        return True
