"""Images in an array of a Zarr store, a folder or a zip (the extra ``zarr``).

Zarr takes a chunk that is missing for one that was never written: its pixels have the fill value.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers import arrays
from galaxy_edge.inputs.containers.layout import Layout, Only
from galaxy_edge.inputs.formats import split_dataset
from galaxy_edge.inputs.source import Source


def images(
    path: str,
    layout: Layout,
    bands: Bands | None = None,  # noqa: ARG001
    only: Only = None,
) -> Iterator[Source]:
    """The images of ``cube.zarr:images``, as `arrays.images`.

    A store may also be one array without a group.
    """
    name, dataset = split_dataset(path)
    place = Path(name)
    if not place.exists():
        raise FileNotFoundError(name)
    store = zarr.storage.ZipStore(place, mode="r") if place.is_file() else place
    try:
        root: Any = zarr.open(store, mode="r")
    except FileNotFoundError as error:
        raise ImageError(f"not a Zarr store: {error}") from error
    if isinstance(root, zarr.Array):
        root, dataset = {"": root}, ""
    yield from arrays.images(path, root, dataset, layout, only)
