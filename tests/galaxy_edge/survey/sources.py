"""Small sources for the tests of surveys, and the rows in a destination."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import encoded, galaxy


def tables(folder: Path, parts: int, rows: int) -> Path:
    """Write Parquet files with images; the third row of each file has none."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        images: list[bytes | None] = [encoded(galaxy(part * rows + row)) for row in range(rows)]
        images[2] = b"no image"
        ids = [f"G{part}-{row}" for row in range(rows)]
        columns = {"image": images, "object_id": ids, "ra": [float(part)] * rows}
        pq.write_table(pa.table(columns), folder / f"{part:03}.parquet")
    return folder


#: The options for these tables.
TABLES = ("--image-column", "image", "--id-column", "object_id", "--keep", "ra")


def files(folder: Path, count: int) -> Path:
    """Write image files; the third one is damaged."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = b"no image" if number == 2 else encoded(galaxy(number))
        (folder / f"{number:04}.png").write_bytes(content)
    return folder


def rows_in(destination: Path) -> list[dict[str, Any]]:
    """All rows of a survey, sorted by identifier and path."""
    rows = pq.read_table(destination / "rows", partitioning=None).to_pylist()
    return in_order(rows)


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["id"], row["path"] or ""))


def rows_of(table: Path) -> list[dict[str, Any]]:
    """The rows of `predict`, sorted as those of a survey."""
    return in_order(pq.read_table(table).to_pylist())
