"""Turn command line arguments into sources: files, folders, patterns, and a list on stdin."""

from __future__ import annotations

import glob
import os
import select
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from galaxy_edge.inputs.bands import Bands, grouped
from galaxy_edge.inputs.formats import split_extension
from galaxy_edge.inputs.listing import images_below
from galaxy_edge.inputs.source import Source

_BLOCK = 65536


def sources(
    arguments: Iterable[str],
    stdin: BinaryIO,
    *,
    recursive: bool = False,
    bands: Bands | None = None,
) -> Iterator[Source | None]:
    """Turn arguments into sources, in order.

    Args:
        arguments: as for `expand`.
        stdin: the list of paths that the argument ``-`` names.
        recursive: include the folders below a folder.
        bands: group the files of three bands (`galaxy_edge.inputs.bands.grouped`).
    """
    paths = expand(arguments, stdin, recursive=recursive)
    for found in paths if bands is None else grouped(paths, bands):
        yield None if found is None else Source(found)


def expand(
    arguments: Iterable[str], stdin: BinaryIO, *, recursive: bool = False
) -> Iterator[str | None]:
    """Turn arguments into paths, in order.

    - A file gives its own path.
    - A folder gives its images, sorted; with ``recursive`` also those in its subfolders.
    - A pattern that is not a file gives its matches, sorted (``**`` matches folders of any depth).
      An extension, ``*.fits[SCI]``, applies to each match.
    - ``-`` gives the paths in a list on stdin, one per line, each taken literally. None is yielded
      before a read would block.
    - Any other argument is passed on unchanged. Reading it reports the error in its own row.
    """
    for argument in arguments:
        if argument == "-":
            for line in _lines(stdin):
                if line is None:
                    yield None
                elif name := line.rstrip(b"\r\n"):
                    yield os.fsdecode(name)
            continue
        path, _ = split_extension(argument)
        suffix = argument.removeprefix(path)
        for found in _matches(path):
            yield from (image + suffix for image in _images(found, recursive=recursive))


def _matches(path: str) -> list[str]:
    if not glob.has_magic(path) or os.path.lexists(path):
        return [path]
    # Path.glob takes no absolute patterns.
    return sorted(glob.glob(path, recursive=True)) or [path]  # noqa: PTH207


def _images(path: str, *, recursive: bool) -> Iterator[str]:
    # Unlike Path.is_dir, this never raises: it is False if the status cannot be read.
    is_folder = os.path.isdir(path)  # noqa: PTH112
    found = images_below(Path(path), recursive=recursive) if is_folder else []
    yield from map(str, found) if found else [path]


def _lines(stdin: BinaryIO) -> Iterator[bytes | None]:
    """Yield lines as soon as they arrive, and None before a read would block."""
    try:
        handle = stdin.fileno()
    except OSError:  # a stream in memory has no handle and never blocks
        yield from stdin
        return
    rest = b""
    while True:
        if not _is_ready(handle, 0):
            yield None
            # The pipe may be non-blocking, depending on the parent process.
            _is_ready(handle, None)
        block = os.read(handle, _BLOCK)
        if not block:
            break
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    yield rest


def _is_ready(handle: int, timeout: float | None) -> bool:
    try:
        return bool(select.select([handle], [], [], timeout)[0])
    except (OSError, ValueError):  # select takes only sockets on Windows, and no high handles
        return True
