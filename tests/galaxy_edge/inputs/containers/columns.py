"""Parquet tables with a column of given images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_edge import ImageError, Source
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing

IMAGES = Layout(image_column="image", id_column="id")
STEPS = Preprocessing(size=20)


def table(path: Path, images: pa.Array, **options) -> Path:
    ids = pa.array([10**18 + place for place in range(len(images))])
    ra = pa.array([150.1 + place for place in range(len(images))], pa.float32())
    pq.write_table(pa.table({"image": images, "id": ids, "ra": ra}), path, **options)
    return path


def pixels(source: Source, steps: Preprocessing = STEPS) -> np.ndarray | ImageError:
    return decoded(source, steps).pixels


def read(path: Path, layout: Layout = IMAGES) -> list[Source]:
    return list(members(str(path), layout))


def nested(*shape: int, kind: pa.DataType, fixed: bool = False) -> pa.DataType:
    for length in reversed(shape):
        kind = pa.list_(kind, length) if fixed else pa.list_(kind)
    return kind


def flux(seed: int, *shape: int) -> np.ndarray:
    """Noise around zero and a source, as in a calibrated image."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    blob = 8 * np.exp(-np.hypot(x - 8, y - 11) / 3)
    return (rng.normal(0, 0.1, shape) + blob).astype(np.float32)
