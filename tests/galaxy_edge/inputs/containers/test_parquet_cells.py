"""Cells of Parquet columns: tensors, named bands, views, and what is no image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_edge import ImageError
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.columns import (
    STEPS,
    nested,
    pixels,
    read,
    table,
)

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("order", ["CHW", "HWC"])
@pytest.mark.parametrize("writer", ["Arrow", "pyarrow"])
def test_a_tensor_whose_axes_are_permuted(tmp_path: Path, order: str, writer: str):
    """pyarrow writes the inverse of the permutation that Arrow specifies."""
    logical = [galaxy(1, 20), galaxy(2, 20)]
    axes = (2, 0, 1) if order == "CHW" else (1, 2, 0)
    if order == "HWC":
        logical = [np.moveaxis(one, 2, 0) for one in logical]
    stored = np.ascontiguousarray(np.stack([one.transpose(axes) for one in logical]))
    back = np.argsort(axes)
    if writer == "pyarrow":
        view = stored.transpose(0, *(back + 1))
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(view)
    else:
        kind = pa.fixed_shape_tensor(pa.uint8(), stored.shape[1:], permutation=back.tolist())
        flat = pa.array(stored.reshape(2, -1).tolist(), pa.list_(pa.uint8(), 1200))
        column = pa.ExtensionArray.from_storage(kind, flat)
    found = [pixels(source) for source in read(table(tmp_path / "x.parquet", column))]
    np.testing.assert_array_equal(found, [galaxy(1, 20), galaxy(2, 20)])


def test_a_permutation_with_two_meanings_is_an_error(tmp_path: Path):
    kind = pa.fixed_shape_tensor(pa.uint8(), (20, 3, 20), permutation=[1, 2, 0])
    column = pa.ExtensionArray.from_storage(
        kind, pa.array([[1] * 1200], pa.list_(pa.uint8(), 1200))
    )
    (source,) = read(table(tmp_path / "x.parquet", column))
    assert "without a permutation" in str(source.content)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int64])
def test_a_picture_of_whole_numbers_is_noted_in_any_type(tmp_path: Path, dtype: type):
    array = galaxy(1, 18).astype(dtype)
    kind = nested(*array.shape, kind=pa.from_numpy_dtype(dtype))
    (source,) = read(table(tmp_path / "x.parquet", pa.array([array.tolist()], kind)))
    assert "store pictures as uint8" in str(decoded(source, STEPS).notes)
    # Flux is not: it has fractions, negative values or more than 255.
    for other in (array * 1.37, array - 9.0, array * 3.0):
        (source,) = read(table(tmp_path / "x.parquet", pa.array([other.tolist()])))
        assert decoded(source, STEPS).notes == ()


@pytest.mark.skipif(not hasattr(pa, "binary_view"), reason="this pyarrow has no views")
def test_views_of_bytes_are_files(tmp_path: Path):
    file = encoded(galaxy(1))
    (source,) = read(table(tmp_path / "x.parquet", pa.array([file], pa.binary_view())))
    assert source.content == file


@pytest.mark.parametrize("codec", ["snappy", "gzip", "brotli", "lz4", "zstd", "none"])
def test_every_codec_is_read(tmp_path: Path, codec: str):
    file = encoded(galaxy(1))
    path = table(tmp_path / "x.parquet", pa.array([file, file]), compression=codec)
    assert [source.content for source in read(path)] == [file, file]


def test_rows_between_empty_ones_have_their_own_pixels(tmp_path: Path):
    cells = [None, galaxy(1, 20).tolist(), None, galaxy(2, 20).tolist()]
    for kind in (
        nested(20, 20, 3, kind=pa.uint8()),
        pa.list_(pa.list_(pa.list_(pa.uint8(), 3), 20), 20),
    ):
        found = [pixels(one) for one in read(table(tmp_path / "x.parquet", pa.array(cells, kind)))]
        assert [isinstance(one, ImageError) for one in found] == [True, False, True, False]
        np.testing.assert_array_equal(found[1::2], [galaxy(1, 20), galaxy(2, 20)])


def test_columns_of_one_name_are_an_error(tmp_path: Path):
    columns = [pa.array([encoded(galaxy(n))]) for n in (1, 2)]
    pq.write_table(pa.table(columns, names=["image", "image"]), tmp_path / "x.parquet")
    (source,) = read(tmp_path / "x.parquet", Layout(image_column="image"))
    assert "several columns are called image" in str(source.content)


def test_a_band_with_the_name_of_another_is_not_chosen(tmp_path: Path):
    cell = [{"band": name, "flux": np.ones((20, 20)).tolist()} for name in "grrz"]
    (source,) = read(table(tmp_path / "x.parquet", pa.array([cell])))
    steps = Preprocessing(size=20, stretch=Stretch(bands=("z", "r", "g")))
    assert "several bands r: g, r, r, z" in str(pixels(source, steps))


CELLS = {
    "plain list": (nested(9, kind=pa.float32()), [1.0] * 9, "no height and width"),
    "ragged": (nested(2, 2, kind=pa.float32()), [[1.0, 2.0], [1.0]], "differ in length"),
    "text": (nested(1, 1, kind=pa.string()), [["a"]], "not numbers"),
    "empty": (nested(2, 2, kind=pa.float32()), [], "not an image"),
    "null": (pa.binary(), None, "this row has no image"),
    "no bytes": (pa.binary(), b"", "empty: it has no bytes"),
    "not an image": (pa.binary(), b"nothing", "not an image"),
    "null struct": (pa.struct([("bytes", pa.binary())]), None, "this row has no image"),
    "empty pixel": (nested(2, 2, kind=pa.uint8()), [[1, None], [2, 3]], "picture is empty"),
    "empty band": (
        pa.list_(pa.struct([("band", pa.string()), ("flux", nested(1, 1, kind=pa.float32()))])),
        [{"band": "g", "flux": None}, {"band": "r", "flux": [[1.0]]}], "bands has no pixels",
    ),
    "two axes of colours": (nested(3, 9, 3, kind=pa.uint8()), np.ones((3, 9, 3)), "two axes"),
    "no colours": (nested(5, 9, 4, kind=pa.uint8()), np.ones((5, 9, 4)), "no axis is"),
    "names and bands": (
        pa.struct([("band", pa.list_(pa.string())), ("flux", nested(1, 1, 1, kind=pa.float32()))]),
        {"band": ["g", "r"], "flux": [[[1.0]]]}, "1 bands and 2 names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_a_bad_cell_is_one_row(tmp_path: Path, name: str):
    kind, cell, reason = CELLS[name]
    cell = cell.tolist() if isinstance(cell, np.ndarray) else cell
    sources = read(table(tmp_path / "x.parquet", pa.array([cell, cell], kind)))
    assert len(sources) == 2
    for source in sources:
        assert reason in str(pixels(source))
