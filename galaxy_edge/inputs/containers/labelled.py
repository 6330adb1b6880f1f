"""The labelled images of a container, for training and evaluation."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from galaxy_edge.errors import DatasetError, ImageError
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.catalogue import Catalogue, Entry, arrange
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import opened
from galaxy_edge.inputs.kept import text
from galaxy_edge.inputs.labelled import LabelledFile
from galaxy_edge.inputs.source import Source, Stamp, Stamps
from galaxy_edge.inputs.tables import Columns


@dataclass(frozen=True, slots=True)
class LabelledContainer:
    """A container whose columns say which class each image has. It is read as often as needed.

    Attributes:
        path: the container, as the user wrote it.
        layout: how it is read.
        columns: which columns hold the classes, the splits and the sources.
        bands: names of the bands for red, green and blue.
    """

    path: str
    layout: Layout
    columns: Columns
    bands: Bands | None = None

    def sources(self, more: Sequence[str] = ()) -> Iterator[Source]:
        """All images, with their labels, splits, sources and ``more`` in `Source.kept`.

        An archive may have a name twice. Each image has a path of its own here, because labels
        are found by it: the second one's ends in ``#2``.
        """
        optional = (self.columns.split, self.columns.source)
        named = [name for name in optional if name is not None]
        keep = tuple(dict.fromkeys([self.columns.label, *named, *more]))
        counts: Counter[Path] = Counter()
        for source in opened(self.path, replace(self.layout, keep=keep), self.bands):
            counts[place := Path(str(source.path))] += 1
            if (count := counts[place]) > 1:
                source = replace(source, path=f"{source.path}#{count}")  # noqa: PLW2901
            yield source

    def of(self, files: Iterable[LabelledFile]) -> Iterator[Source]:
        """The image of each file, in order.

        One that the container no longer has is a source whose content is the reason.

        Args:
            files: some of `catalogue`, in the order of the container.
        """
        return in_order(self.sources(), files)

    def catalogue(self, classes: Sequence[str] | None = None) -> Catalogue:
        """Read all labels: see `galaxy_edge.inputs.catalogue.read`.

        Raises:
            DatasetError: there are fewer than two classes, or no image at all.
        """
        entries = [self._entry(source) for source in self.sources()]
        if len(entries) == 1 and entries[0].fault is not None:
            raise DatasetError(self.path, [entries[0].fault])
        return arrange(
            entries,
            Path(self.path),
            self.columns,
            classes,
            lambda chosen: [entry.digest for entry in chosen],
        )

    def _entry(self, source: Source) -> Entry:
        columns = self.columns
        label = text(source.kept[columns.label]).strip()
        split = None if columns.split is None else text(source.kept[columns.split]).strip()
        fault = None
        if isinstance(source.content, ImageError) and not label:
            fault = str(source.content)
        sha256 = None if columns.split is not None else digest(source)
        path = str(source.path)
        origin = "" if columns.source is None else text(source.kept[columns.source]).strip()
        return Entry(path, Path(path), label, split, sha256, fault, origin)


def in_order(sources: Iterable[Source], files: Iterable[LabelledFile]) -> Iterator[Source]:
    """The image of each file, in order: see `LabelledContainer.of`."""
    waiting = deque(file.path for file in files)
    wanted = {*waiting}
    fault: Source | None = None
    for source in sources:
        path = Path(str(source.path))
        if path not in wanted:
            fault = source if isinstance(source.content, ImageError) else fault
            continue
        while waiting and waiting[0] != path:
            yield _missing(waiting.popleft(), fault)
        if waiting:
            yield source
            waiting.popleft()
            fault = None
    for path in waiting:
        yield _missing(path, fault)


def _missing(path: Path, fault: Source | None) -> Source:
    why = "" if fault is None else f" ({fault.path}: {fault.content!s})"
    return Source(ImageError(f"missing: the container no longer has it{why}"), path=str(path))


def digest(source: Source) -> str | None:
    """SHA-256 of an image of a container, hexadecimal, as in its row; None if it has none."""
    if isinstance(source.content, bytes):
        return hashlib.sha256(source.content).hexdigest()
    if isinstance(source.content, Stamps):
        return hashlib.sha256(b"".join(source.content)).hexdigest()
    if isinstance(source.content, Stamp):
        return hashlib.sha256(np.ascontiguousarray(source.content.pixels).tobytes()).hexdigest()
    return None
