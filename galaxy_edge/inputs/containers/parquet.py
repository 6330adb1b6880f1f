"""Images in a column of a Parquet file (the extra ``parquet``).

The column holds the bytes of image files, structures with ``bytes`` (as Hugging Face's datasets
write them), arrays, or structures of named bands (the Multimodal Universe). A file is read a few
rows at a time, so that memory grows neither with its length nor with that of its row groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers.cells import Contents, contents, fields
from galaxy_edge.inputs.containers.layout import Layout, Only, rows_within
from galaxy_edge.inputs.content import check_file
from galaxy_edge.inputs.kept import identifier
from galaxy_edge.inputs.source import Content, Source

#: Rows that are read together, and bytes that are read from the disk at once.
_ROWS = 32
_BUFFER = 2**20


def rows(
    path: str,
    layout: Layout,
    bands: Bands | None = None,  # noqa: ARG001
    only: Only = None,
) -> Iterator[Source]:
    """The images of a Parquet file, row by row.

    A row group that is damaged gives one source for the rest of its rows.

    Args:
        path: the file.
        layout: its columns.
        bands: unused; the decoder chooses among named bands.
        only: the rows to read; row groups without any are skipped.

    Raises:
        UsageError: the layout names no column of images.
        ImageError: the file lacks a column, or the column holds no images.
        OSError, pyarrow.ArrowException: the file cannot be read.
    """
    check_file(Path(path))
    with pq.ParquetFile(
        path, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
    ) as file:
        schema = file.schema_arrow
        image = layout.image_column
        if image is None:
            raise UsageError(
                f"{path} is a table; name the column of its images with --image-column. It has "
                f"{', '.join(schema.names)}"
            )
        for name in (image, *layout.columns):
            if name not in schema.names:
                raise ImageError(f"there is no column {name}; it has {', '.join(schema.names)}")
            if schema.names.count(name) > 1:
                raise ImageError(f"several columns are called {name}; rename all but one")
        used = fields(image, schema.field(image).type)
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            if not rows_within(only, start, end):
                start = end
                continue
            batches = file.iter_batches(
                _ROWS, row_groups=[group], columns=[*used, *layout.columns], use_threads=False
            )
            while start < end:
                try:
                    batch = next(batches)
                    wanted = rows_within(only, start, start + len(batch))
                    found = sources(
                        batch, contents(batch.column(image)), layout, _places(path, start)
                    )
                except (OSError, StopIteration, pa.ArrowException) as error:
                    yield _lost(path, start, end - 1, error, layout)
                    break
                if wanted:
                    yield from (one for row, one in enumerate(found, start) if row in wanted)
                start += len(batch)
            start = end


def sources(
    batch: Any, images: Contents, layout: Layout, paths: Iterable[str | None]
) -> Iterator[Source]:
    """The images of a record batch.

    Args:
        batch: its rows.
        images: the content of each row.
        layout: the columns of identifiers and of kept values.
        paths: of the rows.
    """
    columns = {name: _values(batch.column(name)) for name in layout.columns}

    def source(place: int, path: str | None) -> Source:
        row = {name: values[place] for name, values in columns.items()}
        key = None
        content: Content
        try:
            key = None if layout.id_column is None else identifier(row[layout.id_column])
            content = images(place)
        except ImageError as error:
            content = error
        return Source(content, key, path, {name: row[name] for name in layout.keep})

    return (source(place, path) for place, path in zip(range(len(batch)), paths, strict=False))


def _places(path: str, start: int) -> Iterator[str]:
    return (f"{path}#{place}" for place in count(start))


def _lost(path: str, first: int, last: int, error: Exception, layout: Layout) -> Source:
    fault = ImageError(f"damaged: rows {first} to {last} cannot be read ({error})")
    place = f"{path}#{first}-{last}"
    return Source(fault, path=place, kept=dict.fromkeys(layout.keep))


def _values(column: Any) -> list[Any]:
    if pa.types.is_float32(column.type):
        # Their shortest decimals; pyarrow would give the digits of double precision.
        return [None if value is None else np.float32(value) for value in column.to_pylist()]
    return list(column.to_pylist())
