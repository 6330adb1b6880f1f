"""Images in an array of an HDF5 file (the extra ``hdf5``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py

from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers import arrays
from galaxy_edge.inputs.containers.layout import Layout, Only
from galaxy_edge.inputs.content import check_file
from galaxy_edge.inputs.formats import split_dataset
from galaxy_edge.inputs.source import Source


def images(
    path: str,
    layout: Layout,
    bands: Bands | None = None,  # noqa: ARG001
    only: Only = None,
) -> Iterator[Source]:
    """The images of ``cube.h5:images``, as `arrays.images`."""
    file, dataset = split_dataset(path)
    check_file(Path(file))
    # Some network file systems have no locks, and reading needs none.
    with h5py.File(file, "r", locking="best-effort") as root:
        yield from arrays.images(path, root, dataset, layout, only)
