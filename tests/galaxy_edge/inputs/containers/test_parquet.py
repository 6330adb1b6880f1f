"""Parquet tables with a column of images: every kind of cell, identifiers, and damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from galaxy_edge import ImageError, Predictor, Source, UsageError
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from tests.conftest import encoded, galaxy

Cli = Callable[..., tuple[int, str, str]]
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


@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary()),
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    ],
    ids=["binary", "large", "dictionary", "struct"],
)  # fmt: skip
def test_a_column_of_files_gives_the_pixels_of_the_files(tmp_path: Path, kind: pa.DataType):
    files = [encoded(galaxy(seed)) for seed in range(3)]
    cells = [{"bytes": one} for one in files] if pa.types.is_struct(kind) else files
    sources = read(table(tmp_path / "x.parquet", pa.array(cells, kind)))
    assert [source.id for source in sources] == [str(10**18 + n) for n in range(3)]
    assert [source.path for source in sources] == [f"{tmp_path}/x.parquet#{n}" for n in range(3)]
    for source, file in zip(sources, files, strict=True):
        np.testing.assert_array_equal(pixels(source), pixels(Source(file)))


def nested(*shape: int, kind: pa.DataType, fixed: bool = False) -> pa.DataType:
    for length in reversed(shape):
        kind = pa.list_(kind, length) if fixed else pa.list_(kind)
    return kind


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("layout", ["last", "first", "grey"])
def test_uint8_arrays_are_pictures(tmp_path: Path, layout: str, *, fixed: bool):
    image = galaxy(1, 18)
    array = {"last": image, "first": np.moveaxis(image, 2, 0), "grey": image[..., 0]}[layout]
    kind = nested(*array.shape, kind=pa.uint8(), fixed=fixed)
    (source,) = read(table(tmp_path / "x.parquet", pa.array([array.tolist()], kind)))
    expected = pixels(Source(array if layout == "grey" else image))
    np.testing.assert_array_equal(pixels(source), expected)


def test_a_fixed_shape_tensor_is_an_array(tmp_path: Path):
    images = np.stack([galaxy(seed, 18) for seed in range(3)])
    sources = read(
        table(tmp_path / "x.parquet", pa.FixedShapeTensorArray.from_numpy_ndarray(images))
    )
    for source, image in zip(sources, images, strict=True):
        np.testing.assert_array_equal(pixels(source), pixels(Source(image)))


def flux(seed: int, *shape: int) -> np.ndarray:
    """Noise around zero and a source, as in a calibrated image."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    blob = 8 * np.exp(-np.hypot(x - 8, y - 11) / 3)
    return (rng.normal(0, 0.1, shape) + blob).astype(np.float32)


@pytest.mark.parametrize("layout", ["last", "first", "grey"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_other_arrays_are_stretched_like_fits(tmp_path: Path, layout: str, dtype: type):
    cube = (flux(3, 3, 20, 24) * (100 if dtype is np.int16 else 1)).astype(dtype)
    if layout == "grey":
        cube = cube[0]
    fits.writeto(tmp_path / "x.fits", cube)
    array = np.moveaxis(cube, 0, -1) if layout == "last" else cube
    kind = nested(*array.shape, kind=pa.from_numpy_dtype(dtype))
    (source,) = read(table(tmp_path / "x.parquet", pa.array([array.tolist()], kind)))
    found = decoded(source, STEPS)
    np.testing.assert_array_equal(found.pixels, pixels(Source(tmp_path / "x.fits")))
    assert found.notes == ()


def test_a_float_picture_is_noted(tmp_path: Path):
    array = galaxy(1, 18) / 255
    kind = nested(*array.shape, kind=pa.float32())
    (source,) = read(table(tmp_path / "x.parquet", pa.array([array.tolist()], kind)))
    (note,) = decoded(source, STEPS).notes
    assert "store pictures as uint8" in note


@pytest.mark.parametrize("field", ["array", "flux"])
@pytest.mark.parametrize("form", ["struct of lists", "list of structs"])
def test_named_bands_of_the_multimodal_universe(tmp_path: Path, field: str, form: str):
    names = ["DES-G", "DES-R", "DES-I", "DES-Z"]
    cube = flux(4, 4, 20, 20)
    plane = nested(20, 20, kind=pa.float32())
    if form == "struct of lists":
        kind = pa.struct(
            [("band", pa.list_(pa.string())), (field, pa.list_(plane)), ("ivar", pa.float32())]
        )
        cell = {"band": names, field: cube.tolist(), "ivar": 1.0}
    else:
        kind = pa.list_(pa.struct([("band", pa.string()), (field, plane)]))
        cell = [{"band": name, field: one.tolist()} for name, one in zip(names, cube, strict=True)]
    (source,) = read(table(tmp_path / "x.parquet", pa.array([cell], kind)))
    steps = Preprocessing(size=20, stretch=Stretch(bands=("DES-Z", "DES-R", "DES-G")))
    fits.writeto(tmp_path / "x.fits", cube[[3, 1, 0]])
    np.testing.assert_array_equal(pixels(source, steps), pixels(Source(tmp_path / "x.fits")))
    error = pixels(source)
    assert "it has the bands DES-G, DES-R, DES-I, DES-Z; choose three" in str(error)


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


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        (pa.string(), "a.png", "holds string"),
        (pa.int64(), 3, "holds int64"),
        (pa.struct([("width", pa.int64())]), {"width": 1}, "neither bytes nor array"),
    ],
)
def test_a_column_without_images_is_one_row_for_the_file(tmp_path: Path, kind, cell, reason):
    (source,) = read(table(tmp_path / "x.parquet", pa.array([cell] * 3, kind)))
    assert source.id == source.path == f"{tmp_path}/x.parquet"
    assert reason in str(source.content)


def test_identifiers(tmp_path: Path):
    image = encoded(galaxy(1))
    cells = pa.array([image] * 4, pa.binary())
    for ids, expected in (
        (["a", " b ", None, ""], ["a", "b", None, None]),
        ([b"a", b"b", b"\xff", b"c"], ["a", "b", "\\xff", "c"]),
        ([1.0, 2.0, None, float("nan")], ["1", "2", None, None]),
    ):
        pq.write_table(pa.table({"image": cells, "id": ids}), tmp_path / "x.parquet")
        found = [source.id for source in read(tmp_path / "x.parquet")]
        paths = [f"{tmp_path}/x.parquet#{place}" for place in range(4)]
        assert found == [one or path for one, path in zip(expected, paths, strict=True)]
    pq.write_table(pa.table({"image": cells[:1], "id": [1.2376e18]}), tmp_path / "x.parquet")
    (source,) = read(tmp_path / "x.parquet")
    assert "may have lost digits" in str(source.content)


def test_a_column_that_is_missing_is_one_row(tmp_path: Path):
    path = table(tmp_path / "x.parquet", pa.array([b"x"], pa.binary()))
    for layout in (Layout("picture"), Layout("image", "objid"), Layout("image", keep=("dec",))):
        (source,) = read(path, layout)
        assert "it has image, id, ra" in str(source.content)
        assert source.kept == dict.fromkeys(layout.keep)


def test_a_table_without_an_image_column_is_a_usage_error(tmp_path: Path, cli: Cli):
    path = table(tmp_path / "x.parquet", pa.array([b"x"], pa.binary()))
    with pytest.raises(UsageError, match=r"--image-column\. It has image, id, ra"):
        read(path, Layout())
    code, out, err = cli("predict", path, "--format", "jsonl")
    assert (code, out) == (2, "")
    assert "--image-column" in err


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 100, None])
def test_a_damaged_or_missing_file_is_one_row(tmp_path: Path, content: bytes | None):
    path = tmp_path / "x.parquet"
    if content is not None:
        path.write_bytes(content)
    (source,) = read(path)
    assert source.id == source.path == str(path)
    assert str(source.content).startswith(("empty", "damaged or truncated", "missing"))


def test_a_damaged_row_group_is_one_row_and_the_others_are_read(tmp_path: Path):
    rng = np.random.default_rng(0)
    cells = pa.array([rng.bytes(3000) for _ in range(120)], pa.binary())
    path = table(
        tmp_path / "x.parquet", cells, row_group_size=40, write_page_checksum=True,
        use_dictionary=False, compression="zstd",
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(content)
    sources = read(path)
    faults = [source for source in sources if isinstance(source.content, ImageError)]
    assert [source.path for source in faults] == [f"{path}#40-79"]
    assert "rows 40 to 79 cannot be read" in str(faults[0].content)
    good = [source.path for source in sources if source not in faults]
    assert good == [f"{path}#{place}" for place in (*range(40), *range(80, 120))]


def test_the_partitions_of_a_hats_catalogue(tmp_path: Path, model_file: Path, cli: Cli):
    root = tmp_path / "hats"
    for number, name in enumerate(("Norder=0/Dir=0/Npix=1", "Norder=1/Dir=0/Npix=12")):
        folder = (root / "dataset" / name).parent
        folder.mkdir(parents=True)
        cells = pa.array([encoded(galaxy(2 * number + n)) for n in range(2)], pa.binary())
        table(folder / f"{Path(name).name}.parquet", cells)
    for name in ("_metadata", "_common_metadata.parquet", "data_thumbnail.parquet"):
        (root / "dataset" / name).write_bytes(b"not read")
    (root / "hats.properties").write_text("dataproduct_type=object\n")
    code, out, _ = cli(
        "predict", root, "--image-column", "image", "-m", model_file, "--format", "jsonl", "-q"
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    dataset = root / "dataset"
    assert [row["path"] for row in rows] == [
        f"{dataset}/Norder=0/Dir=0/Npix=1.parquet#0", f"{dataset}/Norder=0/Dir=0/Npix=1.parquet#1",
        f"{dataset}/Norder=1/Dir=0/Npix=12.parquet#0",
        f"{dataset}/Norder=1/Dir=0/Npix=12.parquet#1",
    ]  # fmt: skip


def test_a_table_gives_the_rows_of_its_files(tmp_path: Path, model_file: Path, cli: Cli):
    files = [encoded(galaxy(seed)) for seed in range(40)]
    path = table(tmp_path / "x.parquet", pa.array(files, pa.binary()), row_group_size=7)
    plain = [row.score for row in Predictor(model_file).predict_many(files)]
    code, out, err = cli(
        "predict", path, "--image-column", "image", "--id-column", "id", "--keep", "ra",
        "-m", model_file, "--format", "jsonl",
    )  # fmt: skip
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0, err
    assert [row["score"] for row in rows] == plain
    assert [(row["id"], row["ra"]) for row in rows][:2] == [
        (str(10**18), 150.1), (str(10**18 + 1), 151.1),
    ]  # fmt: skip
