"""HDF5 files and Zarr stores: shapes, identifiers beside the images, names with colons, damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge import ImageError, Predictor, Source, inputs
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.formats import container_kind, split_dataset
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from tests.galaxy_edge.inputs.containers.stacks import (
    PICTURES,
    Write,
    hdf5,
    pixels,
    read,
    zarr_store,
)

h5py = pytest.importorskip("h5py")


@pytest.mark.parametrize("shape", ["N, H, W, 3", "N, 3, H, W", "N, H, W"])
def test_uint8_images_are_pictures(tmp_path: Path, write: Write, shape: str):
    images = {
        "N, H, W, 3": PICTURES, "N, 3, H, W": np.moveaxis(PICTURES, 3, 1),
        "N, H, W": PICTURES[..., 0],
    }[shape]  # fmt: skip
    ids = np.arange(9) + 10**18
    path = write(tmp_path / "cube", {"images": images, "ids": ids, "ra": ids / 2})
    sources = read(f"{path}:images", Layout(keep=("ra",)))
    assert [source.id for source in sources] == [str(one) for one in ids]
    assert [source.path for source in sources] == [f"{path}:images#{n}" for n in range(9)]
    assert [source.kept["ra"] for source in sources] == [one / 2 for one in ids]
    for source, picture in zip(sources, PICTURES, strict=True):
        given = picture[..., 0] if shape == "N, H, W" else picture
        np.testing.assert_array_equal(pixels(source), pixels(Source(given)))


def test_float_images_are_stretched_like_fits(tmp_path: Path, write: Write):
    rng = np.random.default_rng(1)
    images = rng.normal(0, 1, (5, 3, 20, 22)).astype(np.float32)
    path = write(tmp_path / "cube", {"images": images})
    for number, source in enumerate(read(path)):
        fits.writeto(tmp_path / "x.fits", images[number], overwrite=True)
        np.testing.assert_array_equal(pixels(source), pixels(Source(tmp_path / "x.fits")))
        assert source.id == source.path == f"{path}:images#{number}"


def test_named_bands_of_the_multimodal_universe(tmp_path: Path):
    rng = np.random.default_rng(2)
    images = rng.normal(0, 1, (2, 4, 20, 20)).astype(np.float32)
    names = np.array([["DES-G", "DES-R", "DES-I", "DES-Z"]] * 2)
    columns = {"image_array": images, "image_ivar": images, "image_band": names}
    path = hdf5(tmp_path / "x", {**columns, "object_id": np.array(["a", "b"])})
    sources = read(f"{path}:image_array", Layout(id_column="object_id"))
    assert [source.id for source in sources] == ["a", "b"]
    steps = Preprocessing(size=20, stretch=Stretch(bands=("DES-Z", "DES-R", "DES-G")))
    fits.writeto(tmp_path / "x.fits", images[1, [3, 1, 0]])
    np.testing.assert_array_equal(pixels(sources[1], steps), pixels(Source(tmp_path / "x.fits")))


def test_groups_and_the_only_array_of_images(tmp_path: Path, write: Write):
    columns = {"a/b/images": PICTURES, "a/b/ids": np.arange(9), "a/b/ra": np.arange(9.0)}
    path = write(tmp_path / "cube", columns)
    for name in ("a/b/images", "/a/b/images", "a/b"):
        assert [source.id for source in read(f"{path}:{name}")] == [*map(str, range(9))]
    with_two = write(tmp_path / "two", {"x": PICTURES, "y": PICTURES, "ids": np.arange(9)})
    (source,) = read(with_two)
    assert "name the array with the images after a colon" in str(source.content)
    assert source.path == str(with_two)


@pytest.mark.parametrize(
    ("columns", "name", "layout", "reason"),
    [
        ({"images": PICTURES}, "pictures", Layout(), "there is no array pictures; it has images"),
        ({"images": PICTURES}, "images/x", Layout(), "there is no array images/x"),
        ({"x/images": PICTURES}, "y/images", Layout(), "there is no array y/images"),
        ({"images": PICTURES}, "images", Layout(id_column="objid"), "there is no array objid"),
        ({"images": PICTURES}, "images", Layout(keep=("ra",)), "there is no array ra"),
        (
            {"images": PICTURES, "ids": np.arange(8)}, "images", Layout(),
            "ids has the shape (8,), but there are 9 images",
        ),
        ({"images": PICTURES[..., 0, 0]}, "images", Layout(), "the shape of the array is 9 x 18"),
        ({"images": np.zeros((2, 5, 9, 9))}, "images", Layout(), "more bands need their names"),
        ({"images": np.zeros((0, 9, 9))}, "nothing", Layout(), "there is no array nothing"),
    ],
)  # fmt: skip
def test_a_wrong_array_is_one_row(tmp_path: Path, write: Write, columns, name, layout, reason):
    path = write(tmp_path / "cube", columns)
    (source,) = read(f"{path}:{name}", layout)
    assert source.id == source.path == f"{path}:{name}"
    assert reason in str(source.content)


def test_no_images_are_no_rows(tmp_path: Path, write: Write):
    assert read(f"{write(tmp_path / 'cube', {'images': np.zeros((0, 9, 9))})}:images") == []


def test_damaged_chunks_of_hdf5_are_rows(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 255, (40, 18, 18, 3), np.uint8)
    columns = {"images": images, "ids": np.arange(40)}
    path = hdf5(tmp_path / "cube", columns, chunks=(4, 18, 18, 3), compression="gzip")
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + 50] ^= 0xFF
    path.write_bytes(content)
    sources = read(f"{path}:images")
    bad = [source.id for source in sources if isinstance(source.content, ImageError)]
    assert bad == ["12", "13", "14", "15"]
    assert len(sources) == 40


def test_damaged_chunks_of_zarr_are_rows(tmp_path: Path):
    path = zarr_store(tmp_path / "cube", {"images": PICTURES}, chunks=(2, 18, 18, 3))
    (path / "images" / "c" / "1" / "0" / "0" / "0").write_bytes(b"damaged")
    sources = read(f"{path}:images")
    bad = [source.path for source in sources if isinstance(source.content, ImageError)]
    assert bad == [f"{path}:images#2", f"{path}:images#3"]


@pytest.mark.parametrize("content", [None, b"", b"x" * 1000, b"\x89HDF\r\n\x1a\n" + b"x" * 100])
def test_a_file_that_is_not_hdf5_is_one_row(tmp_path: Path, content: bytes | None):
    path = tmp_path / "x.h5"
    if content is not None:
        path.write_bytes(content)
    (source,) = read(f"{path}:images")
    assert str(source.content).startswith(("missing", "empty", "damaged or truncated"))


def test_a_truncated_hdf5_file_is_one_row(tmp_path: Path):
    path = hdf5(tmp_path / "cube", {"images": PICTURES})
    path.write_bytes(path.read_bytes()[:-100])
    (source,) = read(path)
    assert "truncated" in str(source.content)


def test_a_store_that_is_not_zarr_is_one_row(tmp_path: Path):
    (tmp_path / "x.zarr").mkdir()
    for name in ("x.zarr", "absent.zarr:images"):
        (source,) = read(tmp_path / name)
        assert str(source.content).startswith(("not a Zarr store", "missing"))


def test_a_zarr_of_one_array_and_one_in_a_zip(tmp_path: Path):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(tmp_path / "one.zarr", data=PICTURES)
    assert [source.id for source in read(tmp_path / "one.zarr")][:2] == [
        f"{tmp_path}/one.zarr#0", f"{tmp_path}/one.zarr#1",
    ]  # fmt: skip
    folder = zarr_store(tmp_path / "cube", {"images": PICTURES})
    shutil.make_archive(str(folder), "zip", folder)
    found = read(f"{folder}.zip:images")
    np.testing.assert_array_equal([source.content.pixels for source in found], PICTURES)


def test_names_with_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("run:3.h5", "a.h5:b.h5", "plain.h5"):
        Path(name).touch()
    assert split_dataset("run:3.h5:images") == ("run:3.h5", "images")
    assert split_dataset("a.h5:b.h5:images") == ("a.h5:b.h5", "images")
    assert split_dataset("a.h5:b.h5") == ("a.h5:b.h5", None)
    assert split_dataset("plain.h5:a:b/c") == ("plain.h5", "a:b/c")
    assert split_dataset(r"C:\night 1\CUBE.HDF5:images") == (r"C:\night 1\CUBE.HDF5", "images")
    assert split_dataset(r"C:\a.png") == (r"C:\a.png", None)
    assert split_dataset("absent.zarr:images") == ("absent.zarr", "images")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.h5:images", "hdf5"), ("a.zarr/", "zarr"), ("a.zarr.zip:x", "zarr"),
        ("a.ZIP", "archive"), ("a.tar.gz", "archive"), ("a.tgz", "archive"), ("a.png", None),
        ("a.parquet", "parquet"), ("a.fits.gz", None), ("a.gz", None), ("tar", None),
        ("a.h5/b.png", None),
    ],
)  # fmt: skip
def test_the_kind_of_a_container_is_in_its_name(path: str, kind: str | None):
    assert container_kind(path) == kind


def test_a_pattern_and_a_store_in_a_folder(tmp_path: Path, write: Write):
    for name in ("a", "b"):
        write(tmp_path / name, {"images": PICTURES[:2]})
    suffix = write(tmp_path / "a", {"images": PICTURES[:2]}).suffix
    found = [source.path for source in inputs.open(f"{tmp_path}/*{suffix}:images")]
    assert found == [f"{tmp_path}/{name}{suffix}:images#{n}" for name in "ab" for n in (0, 1)]


def test_an_array_gives_the_scores_of_its_images(tmp_path: Path, write: Write, model_file: Path):
    predictor = Predictor(model_file)
    plain = [row.score for row in predictor.predict_many(list(PICTURES))]
    path = write(tmp_path / "cube", {"images": PICTURES, "ids": np.arange(9)})
    rows = list(predictor.predict_many(inputs.open(f"{path}:images")))
    assert [row.score for row in rows] == plain
    assert [row.id for row in rows] == [*map(str, range(9))]


def test_pairs_of_an_identifier_and_an_image(model_file: Path):
    predictor = Predictor(model_file)
    pairs = [(7, PICTURES[0]), ("M 51", Source(PICTURES[1], id="other")), (None, PICTURES[2])]
    rows = list(predictor.predict_many(pairs))
    assert [row.id for row in rows] == ["7", "M 51", None]
    assert [row.score for row in rows] == [
        row.score for row in predictor.predict_many(list(PICTURES[:3]))
    ]
    assert predictor.predict(("a", PICTURES[0])).id == "a"
    two_bands = ("m51_i.fits", "m51_r.fits")
    assert Source.of(two_bands).content == two_bands
