"""Turn command line arguments into sources: files, folders, patterns, and a list on stdin."""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.bands import Bands, grouped
from galaxy_edge.inputs.blocks import blocks
from galaxy_edge.inputs.formats import (
    container_kind,
    has_input_suffix,
    split_dataset,
    split_extension,
)
from galaxy_edge.inputs.listing import images_below, partitions_below
from galaxy_edge.inputs.source import Source

if TYPE_CHECKING:
    from galaxy_edge.inputs.containers.layout import Layout

_SEPARATORS = (os.sep, os.altsep or os.sep)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def sources(
    arguments: Iterable[str],
    stdin: BinaryIO,
    *,
    recursive: bool = False,
    null: bool = False,
    bands: Bands | None = None,
    layout: Layout | None = None,
    output: Path | None = None,
) -> Iterator[Source | None]:
    """Turn arguments into sources, in order; a container gives its images.

    Args:
        arguments: as for `expand`. With an image column in the layout, a folder gives the images
            in its Parquet files.
        stdin: the list of paths that the argument ``-`` names.
        recursive: include the folders below a folder.
        null: the paths in the list are separated by NUL instead of newlines.
        bands: group the files of three bands (`galaxy_edge.inputs.bands.grouped`).
        layout: how containers are read.
        output: a container to leave out, because the rows go to it.
    """
    partitioned = layout is not None and layout.image_column is not None
    paths = expand(arguments, stdin, recursive=recursive, null=null, partitioned=partitioned)
    yield from from_paths(paths, bands=bands, layout=layout, output=output)


def from_paths(
    paths: Iterable[str | None],
    *,
    bands: Bands | None = None,
    layout: Layout | None = None,
    output: Path | None = None,
) -> Iterator[Source | None]:
    """Turn paths into sources, in order; a container gives its images.

    Args:
        paths: files and containers; None means that no other is available now, and is passed on.
        bands: as for `sources`.
        layout: as for `sources`.
        output: as for `sources`.
    """
    kept = dict.fromkeys(layout.keep) if layout else {}
    for found in paths if bands is None else grouped(paths, bands):
        if found is None:
            yield None
        elif (layout and layout.catalogue) or (isinstance(found, str) and container_kind(found)):
            # Most runs read files only.
            from galaxy_edge.inputs.containers.opening import bounded, members  # noqa: PLC0415

            if not (isinstance(found, str) and _is_same(output, found)):
                yield from bounded(members(found, layout, bands))
        else:
            yield Source(found, kept=kept)


def _is_same(output: Path | None, path: str) -> bool:
    return (
        output is not None
        and os.path.exists(path)  # noqa: PTH110 - never raises
        and output.exists()
        and output.samefile(path)
    )


def expand(
    arguments: Iterable[str],
    stdin: BinaryIO,
    *,
    recursive: bool = False,
    null: bool = False,
    partitioned: bool = False,
) -> Iterator[str | None]:
    """Turn arguments into paths, in order.

    - A file gives its own path.
    - A folder gives its images and packets of alerts, sorted; with ``recursive`` also those in its
      subfolders. With ``partitioned``, it gives the Parquet files at any depth in it.
    - A pattern that is not a file gives its matches, sorted (``**`` matches folders of any depth).
      An extension, ``*.fits[SCI]``, or an array, ``*.h5:images``, applies to each match. A folder
      whose name has brackets and that exists is that folder, and brackets that match nothing are
      literal.
    - ``-`` gives the paths in a list on stdin, one per line, each taken literally. None is yielded
      before a read would block. With ``null``, each path ends with NUL, so that it may contain any
      other character (``find -print0``).
    - Any other argument is passed on unchanged. Reading it reports the error in its own row.

    Raises:
        UsageError: the list on stdin is UTF-16, or is separated by NUL although ``null`` is false.
    """
    for argument in arguments:
        if argument == "-":
            yield from _listed(stdin, null=null)
            continue
        path, _ = split_extension(argument)
        if path == argument:
            path, _ = split_dataset(argument)
        suffix = argument.removeprefix(path)
        for found in _matches(path):
            images = _images(found, recursive=recursive, partitioned=partitioned)
            yield from (image + suffix for image in images)


def _matches(path: str) -> list[str]:
    if not glob.has_magic(path) or os.path.lexists(path):
        return [path]
    # The last pattern takes every bracket literally, as in a file name such as frame[1]_a.png.
    for pattern in (_with_literal_folder(path), path.replace("[", "[[]")):
        # Path.glob takes no absolute patterns.
        if found := glob.glob(pattern, recursive=True):  # noqa: PTH207
            return sorted(found)
    return [path]


def _with_literal_folder(pattern: str) -> str:
    """Escape the longest start of a pattern that is a folder: ``night[1]/*.png``.

    A folder called ``*`` is not meant by a pattern that begins with ``*``.
    """
    for place in reversed(range(len(pattern))):
        folder = pattern[:place]
        literal = pattern[place] in _SEPARATORS and not {"*", "?"} & {*folder}
        if literal and os.path.isdir(folder):  # noqa: PTH112 - never raises
            return glob.escape(folder) + pattern[place:]
    return pattern


def _images(path: str, *, recursive: bool, partitioned: bool) -> Iterator[str]:
    # Unlike Path.is_dir, this never raises: it is False if the status cannot be read.
    is_folder = os.path.isdir(path)  # noqa: PTH112
    found = []
    # A Zarr store is a folder.
    if is_folder and container_kind(path) is None:
        folder = Path(path)
        found = partitions_below(folder) if partitioned else []
        found = found or images_below(folder, recursive=recursive, wanted=has_input_suffix)
    yield from map(str, found) if found else [path]


def _listed(stdin: BinaryIO, *, null: bool) -> Iterator[str | None]:
    """The paths in a list; None before a read would block."""
    is_first = True
    for record in _records(stdin, null=null):
        if record is None:
            yield None
            continue
        # Some editors and PowerShell write a byte order mark, which is not part of a path.
        name = record.removeprefix(codecs.BOM_UTF8) if is_first else record
        is_first = False
        if not null:
            name = name.rstrip(b"\r\n")
        if name:
            yield _decoded(name)


def _records(stdin: BinaryIO, *, null: bool) -> Iterator[bytes | None]:
    """Yield lines (or what NUL ends) as soon as they arrive, and None before a read would block."""
    rest = b""
    is_checked = False
    for block in blocks(stdin):
        if block is None:
            yield None
            continue
        *records, rest = (rest + block).split(b"\0" if null else b"\n")
        if not is_checked:
            # Also without a complete record: a list of another kind may never have one.
            _check_kind(records[0] if records else rest, null=null)
            is_checked = bool(records)
        yield from records
    yield rest


def _check_kind(first: bytes, *, null: bool) -> None:
    if first.startswith(_UTF_16):
        raise UsageError(
            "the list on stdin is UTF-16; write it in UTF-8 (in PowerShell, with "
            "`Out-File -Encoding utf8`)"
        )
    if b"\0" in first and not null:
        raise UsageError("the paths on stdin are separated by NUL characters; add -0")


def _decoded(name: bytes) -> str:
    try:
        return os.fsdecode(name)
    except UnicodeDecodeError as error:  # on Windows, where a path is text
        raise UsageError(
            f"the list on stdin is not UTF-8 ({name!r}); write it in UTF-8 (in PowerShell, with "
            "`Out-File -Encoding utf8`)"
        ) from error
