"""Inputs: what a source is, where its bytes come from, and how they become pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from galaxy_edge.inputs.containers.layout import Cutout
    from galaxy_edge.inputs.source import Source


def open(  # noqa: A001 - it opens images as the builtin opens files
    path: str | os.PathLike[str] | tuple[str, str, str],
    *,
    image_column: str | None = None,
    id_column: str | None = None,
    keep: Sequence[str] = (),
    catalogue: str | os.PathLike[str] | None = None,
    size: int | None = None,
    sky_columns: tuple[str, str] | None = None,
    pixel_columns: tuple[str, str] | None = None,
    bands: tuple[str, str, str] | None = None,
    cutout: Cutout | None = None,
) -> Iterator[Source]:
    """The images of a container, lazily and in order, for `Predictor.predict_many`.

    Each is a `Source` with an identifier, a path that no other has, and its own columns. One that
    cannot be read gives an error row, and so does damage to the container.

    Args:
        path: a Parquet file or a folder of them, a tar or zip, ``cube.h5:images``,
            ``cube.zarr:images``, alert packets (Avro), a mosaic, or the three files of one (red,
            green, blue); or anything else that ``galaxy-edge predict`` takes.
        image_column: the column of a Parquet table with the images.
        id_column: the column with the identifiers.
        keep: columns to copy to the rows.
        catalogue: a table of positions in a mosaic.
        size: height and width of a stamp of the mosaic, pixels.
        sky_columns: columns of the catalogue with right ascension and declination, degrees (ICRS).
        pixel_columns: columns of the catalogue with x and y, pixels; the first pixel is (0, 0).
        bands: names of the bands for red, green and blue.
        cutout: ``science``, ``template`` or ``difference``, the stamp of an alert; or ``triplet``,
            all three as channels. By default the science image.

    Raises:
        UsageError: an option is missing or wrong, or a package is not installed.
    """
    from pathlib import Path  # noqa: PLC0415 - importing the package must stay quick

    from galaxy_edge.inputs.containers.layout import Layout  # noqa: PLC0415
    from galaxy_edge.inputs.containers.opening import opened  # noqa: PLC0415

    layout = Layout(
        image_column,
        id_column,
        tuple(keep),
        None if catalogue is None else Path(catalogue),
        size,
        sky_columns,
        pixel_columns,
        cutout,
    )
    return opened(path, layout, bands)
