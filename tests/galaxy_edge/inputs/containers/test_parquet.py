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
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.columns import (
    STEPS,
    flux,
    nested,
    pixels,
    read,
    table,
)

Cli = Callable[..., tuple[int, str, str]]


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
