"""HDF5 files and Zarr stores of given arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import ImageError, Source
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import galaxy

h5py = pytest.importorskip("h5py")

#: Path and arrays -> the path of a file with them.
Write = Callable[..., Path]
STEPS = Preprocessing(size=20)
PICTURES = np.stack([galaxy(seed, 18) for seed in range(9)])


def hdf5(path: Path, columns: dict[str, np.ndarray], **options) -> Path:
    path = path.with_suffix(".h5")
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            data = values.astype("S") if values.dtype.kind == "U" else values
            file.create_dataset(name, data=data, **(options if values.ndim > 2 else {}))
    return path


def zarr_store(path: Path, columns: dict[str, np.ndarray], chunks=None) -> Path:
    zarr = pytest.importorskip("zarr")
    path = path.with_suffix(".zarr")
    root = zarr.open_group(path, mode="w")
    for name, values in columns.items():
        root.create_array(
            name, data=values, chunks=chunks if values.ndim > 2 and chunks else "auto"
        )
    return path


def pixels(source: Source, steps: Preprocessing = STEPS) -> np.ndarray | ImageError:
    return decoded(source, steps).pixels


def read(path: object, layout: Layout | None = None) -> list[Source]:
    return list(members(str(path), layout))
