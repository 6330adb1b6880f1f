"""Divide a source into parts: a container, or a run of paths."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.inputs.bands import Bands, grouped
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.formats import container_kind
from galaxy_edge.survey.places import size

#: Characters that every file system and object store takes in a name.
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
#: Longest name of a container in a key, characters.
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Part:
    """The unit of work.

    Attributes:
        key: names its files. That of a container depends only on its path, so that containers can
            be added to a survey; that of a run of paths on its place.
        paths: one container, or the three files of a mosaic; or a run of paths.
        digest: SHA-256 of the paths, and of the size of a container.
    """

    key: str
    paths: tuple[str, ...]
    digest: str

    @property
    def name(self) -> str:
        """What it is, for people."""
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.paths[0]}{more}"


def divide(
    paths: Iterable[str | None],
    count: int,
    layout: Layout | None = None,
    bands: Bands | None = None,
) -> Iterator[Part]:
    """Divide paths into parts, in order.

    Args:
        paths: files and containers; None is ignored.
        count: images of a run of paths.
        layout: how containers are read. With a catalogue, every input is a mosaic.
        bands: three files are one image (`galaxy_edge.inputs.bands.grouped`).

    Raises:
        UsageError: a container does not exist.
    """
    run: list[str] = []
    taken = number = 0
    for found in paths if bands is None else grouped(paths, bands):
        if found is None:
            continue
        files = (found,) if isinstance(found, str) else found
        if _is_part(files, layout):
            yield _container(files)
            continue
        run += files
        taken += 1
        if taken == count:
            yield _run(number, run)
            run = []
            taken, number = 0, number + 1
    if run:
        yield _run(number, run)


def _is_part(files: Sequence[str], layout: Layout | None) -> bool:
    if layout is not None and layout.catalogue is not None:
        return True
    # A file of alerts is as small as an image.
    return len(files) == 1 and container_kind(files[0]) not in (None, "alerts")


def _container(files: tuple[str, ...]) -> Part:
    path = files[0]
    name = _UNSAFE.sub("-", Path(path).name)[:_LONGEST].strip("-.")
    place = hashlib.sha256("\0".join(files).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return Part(f"{name}-{place}", files, _digest([files, [size(path) for path in files]]))


def _run(number: int, paths: Sequence[str]) -> Part:
    return Part(f"paths-{number:08}", tuple(paths), _digest([paths]))


def _digest(document: object) -> str:
    # JSON in ASCII also holds the bytes of file names that are not Unicode.
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
