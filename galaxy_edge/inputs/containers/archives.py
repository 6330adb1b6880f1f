"""Images in a tar or zip archive, read from its first to its last byte; nothing is extracted.

Members are images by their suffix, like files in a folder. The identifier of ``stamps/m51.jpg`` is
``stamps/m51``, as in WebDataset. Columns are keys of the JSON file of the same name, ``m51.json``;
the columns ``cls`` and ``txt`` are the text of ``m51.cls`` and ``m51.txt``.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers.layout import Layout, Only
from galaxy_edge.inputs.containers.sidecars import (
    SUFFIXES,
    Member,
    columns,
    paired,
    place,
    places,
    stem,
)
from galaxy_edge.inputs.content import MAX_BYTES, check_file
from galaxy_edge.inputs.formats import container_kind, has_input_suffix
from galaxy_edge.inputs.kept import identifier
from galaxy_edge.inputs.source import Source

#: Bytes that are read from a tar at once.
_BLOCK = 2**18
#: First bytes of a zip: with members, or empty.
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
#: First bytes of a compressed tar.
_COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
#: The content of an image that is not wanted, which its sidecar files need to find their own.
_SKIPPED = ImageError("not read")
#: Folders and prefixes of files that macOS adds.
_HIDDEN = (".", "__MACOSX")


def images(
    path: str,
    layout: Layout,
    bands: Bands | None = None,  # noqa: ARG001
    only: Only = None,
) -> Iterator[Source]:
    """The images of an archive, in its order.

    Args:
        path: a tar, perhaps compressed with gzip, bzip2 or xz, or a zip.
        layout: columns, found in the JSON files.
        bands: unused; the decoder chooses among named bands.
        only: names of the members to read; a name that comes twice is read twice.

    Raises:
        ImageError: it contains no image, or none has a column. Not checked if only some members
            are read.
        Exception: the archive is damaged; of a tar, the images before the damage come first.
    """
    check_file(Path(path))
    with Path(path).open("rb") as file:
        start = file.read(8)
        file.seek(0)
        is_zip = start.startswith(_ZIP_STARTS)
        wanted = bool(layout.columns)
        found: Iterable[tuple[Member, list[Member]]]
        if is_zip:
            found = _zip(file, _names(only), wanted=wanted)
        else:
            members = _tar(file, start, _names(only), wanted=wanted)
            found = paired(members) if wanted else ((one, []) for one in members)
        count = 0
        missing = {*layout.columns}
        for image, sidecars in found:
            if image[1] is not _SKIPPED:
                yield from _sources(path, image, sidecars, layout, missing)
            count += 1
        if only is not None:
            return
        if not count:
            raise ImageError("no image is in it: no member has the suffix of an image")
        if missing:
            raise ImageError(
                f"no image has the column {', '.join(sorted(missing))}: a column is a key of the "
                "JSON file of the same name, in a tar next to its image"
            )


def _sources(
    path: str, image: Member, sidecars: list[Member], layout: Layout, missing: set[str]
) -> Iterator[Source]:
    name, content = image
    if container_kind(name) != "alerts" or isinstance(content, ImageError):
        yield _source(path, image, sidecars, layout, missing)
        return
    # As in the nightly archives of ZTF.
    from galaxy_edge.inputs.containers.alerts import alerts  # noqa: PLC0415 - an extra

    place = f"{path}#{name}"
    # Each alert says which field it lacks.
    missing.clear()
    try:
        yield from alerts(content, place, layout)
    # fastavro raises nearly anything for damaged data.
    except Exception as error:  # noqa: BLE001
        fault = ImageError(f"damaged or truncated: {' '.join(str(error).split())}")
        yield Source(fault, place, place, dict.fromkeys(layout.keep))


def _source(
    path: str, image: Member, sidecars: list[Member], layout: Layout, missing: set[str]
) -> Source:
    name, content = image
    key: str | None = stem(name)
    row: dict[str, Any] = {}
    try:
        row = columns(sidecars)
        missing.difference_update(row)
        if layout.id_column is not None:
            key = identifier(row.get(layout.id_column))
    except ImageError as error:
        missing.clear()  # a damaged file may have them
        key, content = None, error
    kept = {column: row.get(column) for column in layout.keep}
    return Source(content, key, f"{path}#{name}", kept)


def _is_wanted(name: str, *, wanted: bool) -> bool:
    """Whether a member is an image, or a sidecar file and those are wanted."""
    path = PurePosixPath(name)
    if any(part.startswith(_HIDDEN) and part != ".." for part in path.parts):
        return False
    return has_input_suffix(path.name) or (wanted and path.suffix.lower() in SUFFIXES)


def _is_skipped(name: str, names: frozenset[str] | None) -> bool:
    """Whether a member is an image, or has alerts, that are not to be read."""
    is_sidecar = PurePosixPath(name).suffix.lower() in SUFFIXES
    return names is not None and name not in names and not is_sidecar


def _names(only: Only) -> frozenset[str] | None:
    """The members at some places; that of an alert is its number after the name of its member."""
    if only is None:
        return None
    return frozenset(name for one in map(str, only) for name in (one, one.rpartition("#")[0]))


def _too_large(size: int) -> ImageError:
    return ImageError(f"too large: {size:,} bytes is over {MAX_BYTES:,}; cut or reduce it first")


class _Strict(tarfile.TarInfo):
    """A header that is damaged or missing is an error; tarfile would take it for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        """The next header."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            reason = "it ends without the mark of its end"
            if "empty" not in str(error):
                reason = f"{error} at byte {archive.offset:,}"
            raise tarfile.ReadError(reason) from error


def _tar(
    file: IO[bytes], start: bytes, names: frozenset[str] | None, *, wanted: bool
) -> Iterator[Member]:
    if start.startswith(b"(\xb5/\xfd"):
        raise ImageError("compressed with zstd, which is not supported; compress it with gzip")
    opener = next((one for first, one in _COMPRESSIONS.items() if start.startswith(first)), None)
    # read1 gives what comes before the damage; read would raise and lose it.
    stream = file if opener is None else SimpleNamespace(read=opener(file).read1)
    # To find a few members of a file, the others are passed over.
    mode: Any = "r:" if opener is None and names is not None else "r|"
    with tarfile.open(fileobj=stream, mode=mode, bufsize=_BLOCK, tarinfo=_Strict) as archive:
        while (member := archive.next()) is not None:
            # The list of all members would grow with their number.
            archive.members.clear()  # type: ignore[attr-defined]
            if member.isdir() or not _is_wanted(member.name, wanted=wanted):
                continue
            if _is_skipped(member.name, names):
                yield member.name, _SKIPPED
            elif not member.isreg():
                yield member.name, ImageError("a link or a device, not a file; store the file")
            elif member.size > MAX_BYTES:
                yield member.name, _too_large(member.size)
            else:
                content = archive.extractfile(member)
                assert content is not None  # noqa: S101 - a regular file has one
                yield member.name, content.read()
        # The checksum of a compressed archive is at its end.
        while block := archive.fileobj.read(_BLOCK):
            if block.count(0) < len(block):
                raise ImageError(
                    "more data follow the mark of its end, as if archives had been joined; store "
                    "each one in a file of its own"
                )


def _zip(
    file: IO[bytes], names: frozenset[str] | None, *, wanted: bool
) -> Iterator[tuple[Member, list[Member]]]:
    with zipfile.ZipFile(file) as archive:
        infos = [
            info
            for info in archive.infolist()
            if not info.is_dir()
            and _is_wanted(info.filename, wanted=wanted)
            and not _is_skipped(info.filename, names)
        ]
        # Unlike in a tar, a sidecar file can be anywhere.
        others: dict[str, list[zipfile.ZipInfo]] = {}
        for info in infos:
            if not has_input_suffix(info.filename):
                others.setdefault(place(info.filename), []).append(info)
        for info in infos:
            if has_input_suffix(info.filename):
                beside = [others[one] for one in places(info.filename) if one in others]
                sidecars = [(some[0].filename, _only(archive, some)) for some in beside]
                yield (info.filename, _unzipped(archive, info)), sidecars


def _only(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> bytes | ImageError:
    """The content of the only member with a name."""
    return _unzipped(archive, infos[0]) if len(infos) == 1 else ImageError("several have this name")


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | ImageError:
    if info.flag_bits & 1:
        return ImageError("encrypted; unpack the archive first")
    if info.file_size > MAX_BYTES:
        return _too_large(info.file_size)
    try:
        return archive.read(info)
    except NotImplementedError as error:
        return ImageError(f"not supported: {error}; compress the archive with deflate")
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        return ImageError(f"damaged or truncated: {error}")
