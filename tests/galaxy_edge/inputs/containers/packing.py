"""Archives of given files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from galaxy_edge import ImageError, Source
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members


def tarred(files: dict[str, bytes], mode: str = "w", **options) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, **options) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    suffix = "".join(path.suffixes)
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    path.write_bytes(zipped(files) if suffix == ".zip" else tarred(files, mode))
    return path


def read(path: Path, layout: Layout | None = None) -> list[Source]:
    return list(members(str(path), layout))


def faults(sources: list[Source]) -> list[Source]:
    return [source for source in sources if isinstance(source.content, ImageError)]
