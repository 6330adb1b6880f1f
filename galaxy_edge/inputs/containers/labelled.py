"""The labelled images of a container, for training and evaluation."""

from __future__ import annotations

import hashlib
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
from galaxy_edge.inputs.source import Source, Stamp
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
        """All images, with their labels, splits, sources and ``more`` in `Source.kept`."""
        optional = (self.columns.split, self.columns.source)
        named = [name for name in optional if name is not None]
        keep = tuple(dict.fromkeys([self.columns.label, *named, *more]))
        return opened(self.path, replace(self.layout, keep=keep), self.bands)

    def of(self, files: Iterable[LabelledFile]) -> Iterator[Source]:
        """The images of some files of `catalogue`, in the order of the container."""
        wanted = {file.path for file in files}
        return (source for source in self.sources() if Path(str(source.path)) in wanted)

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
        digest = None if columns.split is not None else _digest(source)
        path = str(source.path)
        origin = "" if columns.source is None else text(source.kept[columns.source]).strip()
        return Entry(path, Path(path), label, split, digest, fault, origin)


def _digest(source: Source) -> str | None:
    if isinstance(source.content, bytes):
        return hashlib.sha256(source.content).hexdigest()
    if isinstance(source.content, Stamp):
        return hashlib.sha256(np.ascontiguousarray(source.content.pixels).tobytes()).hexdigest()
    return None
