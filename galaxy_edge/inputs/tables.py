"""Tables on disk -> rows: CSV, Parquet (the extra ``parquet``) and FITS (the extra ``fits``)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.column_types import column_types

#: Suffixes of the tables that can be read.
SUFFIXES = (".csv", ".parquet", ".fits", ".fit", ".fts")

#: The names of a table's columns -> those to read.
_Choose: TypeAlias = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a catalogue, or of a container, hold what, and how it is split.

    Attributes:
        path: paths of images, absolute or relative to the catalogue; None for a container, which
            holds the images.
        label: classes.
        split: ``Train``, ``Valid`` or ``Test`` in any case; None to split by content.
        valid: share of the images for validation, if there is no such column.
        source: where the images come from; None if the catalogue does not say.
    """

    path: str | None
    label: str
    split: str | None = None
    valid: float = 0.2
    source: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.valid < 1:
            raise UsageError(f"--valid must lie between 0 and 1, not {self.valid}")


def rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a table, as text; an empty or missing value is an empty text.

    Args:
        path: a CSV file with a header, a Parquet file, or a FITS file whose first table is read.
        columns: the columns to read.

    Raises:
        UsageError: the file cannot be read, has another format, or lacks a column; or the library
            for its format is not installed.
    """
    for row in _read(path, lambda names: columns):
        yield {name: _text(value) for name, value in row.items()}


def values(path: Path, choose: _Choose) -> Iterator[dict[str, Any]]:
    """The rows of a table, with numbers as numbers, and None for no value.

    A column of a CSV file holds numbers if all of its values do (`inputs.column_types`).

    Args:
        path: as for `rows`.
        choose: is given the names of all columns, and returns those to read.

    Raises:
        UsageError: as for `rows`.
    """
    yield from _read(path, choose, typed=True)


def _read(path: Path, choose: _Choose, *, typed: bool = False) -> Iterator[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise UsageError(f"{path} is not a known kind of table; use {', '.join(SUFFIXES)}")
    reader = {".csv": _csv, ".parquet": _parquet}.get(kind, _fits)
    try:
        yield from reader(path, choose, typed=typed)
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        extra = "parquet" if kind == ".parquet" else "fits"
        raise UsageError(
            f"{path} needs {error.name}, which is not installed: pip install 'galaxy-edge[{extra}]'"
        ) from error
    # The libraries raise nearly anything for a damaged file, OSError without a number included.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UsageError(f"{path} cannot be read as a {kind[1:]} table: {error}") from error


def _csv(path: Path, choose: _Choose, *, typed: bool) -> Iterator[dict[str, Any]]:
    if not typed:
        return _csv_texts(path, choose)
    types = column_types(_csv_texts(path, choose))
    return (
        {name: types[name](text) if text else None for name, text in row.items()}
        for row in _csv_texts(path, choose)
    )


def _csv_texts(path: Path, choose: _Choose) -> Iterator[dict[str, str]]:
    # Spreadsheets begin a file with a byte order mark.
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        columns = choose(reader.fieldnames or ())
        _check(path, columns, reader.fieldnames or ())
        for row in reader:
            yield {name: _text(row[name]) for name in columns}


def _parquet(path: Path, choose: _Choose, *, typed: bool) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    with pq.ParquetFile(path) as file:
        columns = choose(file.schema_arrow.names)
        _check(path, columns, file.schema_arrow.names)
        for batch in file.iter_batches(columns=[*columns]):
            yield from batch.to_pylist()


def _fits(path: Path, choose: _Choose, *, typed: bool) -> Iterator[dict[str, Any]]:
    from astropy.io import fits  # noqa: PLC0415 - an extra

    with fits.open(path, memmap=False) as hdus:
        kinds = (fits.BinTableHDU, fits.TableHDU)
        table = next((hdu for hdu in hdus if isinstance(hdu, kinds)), None)
        if table is None:
            raise UsageError(f"{path} has no table; name a catalogue, not an image")
        columns = choose(table.columns.names)
        _check(path, columns, table.columns.names)
        # NumPy's numbers know their precision.
        found = [table.data[name] if typed else table.data[name].tolist() for name in columns]
        nulls = [table.columns[name].null if typed else None for name in columns]
    for row in zip(*found, strict=True):
        cells = zip(columns, row, nulls, strict=True)
        yield {name: None if null is not None and one == null else one for name, one, null in cells}


def _check(path: Path, columns: Sequence[str], found: Sequence[str]) -> None:
    if twice := [name for name in dict.fromkeys(columns) if [*found].count(name) > 1]:
        raise UsageError(f"{path} has several columns called {twice[0]}; rename all but one")
    if missing := [name for name in columns if name not in found]:
        raise UsageError(
            f"{path} has no column {' and none called '.join(missing)}; it has {', '.join(found)}"
        )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
