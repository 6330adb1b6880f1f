"""How the containers of a run are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.formats import container_kind
from galaxy_edge.inputs.tables import Columns

#: The places of a container that are wanted, as they follow the # of a path: numbers of rows, or
#: names of members. None for all.
Only: TypeAlias = frozenset[int | str] | None

#: Stamps of an alert.
Cutout: TypeAlias = Literal["science", "template", "difference", "triplet"]

#: The labels beside the images of an HDF5 file or a Zarr store, unless another array is named.
_LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of a container hold what, and where the stamps of a mosaic lie.

    A column is one of a table, an array beside the images of an HDF5 file or a Zarr store, a key of
    the JSON files in an archive, or a field of an alert (``candidate.magpsf``).

    Attributes:
        image_column: the images of a Parquet table.
        id_column: the identifiers; None for the container's own.
        keep: columns that are copied to the rows.
        catalogue: a table of positions, which makes every input a mosaic.
        size: height and width of a stamp of a mosaic, pixels.
        sky_columns: right ascension and declination of the catalogue, degrees (ICRS).
        pixel_columns: x and y of the catalogue, pixels.
        cutout: the stamp of an alert, or all three as channels; None for the science image.
    """

    image_column: str | None = None
    id_column: str | None = None
    keep: tuple[str, ...] = ()
    catalogue: Path | None = None
    size: int | None = None
    sky_columns: tuple[str, str] | None = None
    pixel_columns: tuple[str, str] | None = None
    cutout: Cutout | None = None

    def __post_init__(self) -> None:
        positions = (self.size, self.sky_columns, self.pixel_columns)
        if self.catalogue is None and any(one is not None for one in positions):
            raise UsageError(
                "the size and the columns of positions belong to a mosaic; give its catalogue "
                "(--catalogue)"
            )
        if self.catalogue is not None:
            if self.size is None or self.size < 1:
                raise UsageError(
                    "a catalogue needs the size of the stamps in pixels, such as --size 64"
                )
            if self.sky_columns and self.pixel_columns:
                raise UsageError("positions are on the sky or in pixels; give one pair of columns")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns besides the images, each once."""
        names = [*self.keep] if self.id_column is None else [self.id_column, *self.keep]
        return tuple(dict.fromkeys(names))

    def document(self) -> dict[str, Any]:
        """JSON-ready values; the catalogue's path is absolute, to be found from any folder."""
        catalogue = None if self.catalogue is None else str(self.catalogue.absolute())
        return asdict(self) | {"catalogue": catalogue}


def layout_from(document: Mapping[str, Any]) -> Layout:
    """The layout in a document: see `Layout.document`."""
    values: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in document.items()
    }
    if values["catalogue"] is not None:
        values["catalogue"] = Path(values["catalogue"])
    return Layout(**values)


def rows_within(only: Only, start: int, end: int) -> Sequence[int]:
    """The wanted ones of the rows from ``start`` to before ``end``, in order."""
    if only is None:
        return range(start, end)
    return sorted(row for row in only if isinstance(row, int) and start <= row < end)


def is_container(path: str, layout: Layout) -> bool:
    """Whether a path names a container of images.

    A table without a column of images names files, and a folder contains them.
    """
    if layout.image_column is not None or layout.catalogue is not None:
        return True
    return container_kind(path) in ("archive", "hdf5", "zarr", "alerts")


def label_columns(
    path: str,
    label: str | None,
    split: str | None = None,
    valid: float | None = None,
    source: str | None = None,
) -> Columns:
    """Which columns of a container hold the classes, the splits and the sources.

    Raises:
        UsageError: the column of the classes is not known.
    """
    if label is None and container_kind(path) in ("hdf5", "zarr"):
        label = _LABELS
    if label is None:
        raise UsageError(f"{path} needs the name of the column with its classes: --label-column")
    columns = Columns(None, label, split, source=source)
    return columns if valid is None else replace(columns, valid=valid)
