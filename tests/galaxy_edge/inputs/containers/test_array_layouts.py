"""How arrays are stored, and which arrays are no images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge import Source
from galaxy_edge.inputs.containers import arrays
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.inputs.source import Stamp
from tests.conftest import galaxy
from tests.galaxy_edge.inputs.containers.stacks import (
    PICTURES,
    STEPS,
    Write,
    hdf5,
    pixels,
    read,
    zarr_store,
)

h5py = pytest.importorskip("h5py")


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


@pytest.mark.parametrize("bands", [["g", "r", "z"], [["g", "r", "z"]] * 2])
def test_names_of_bands_for_all_images_or_for_each(tmp_path: Path, bands: list):
    images = np.random.default_rng(2).normal(0, 1, (2, 3, 20, 20)).astype(np.float32)
    path = hdf5(tmp_path / "x", {"image_array": images, "image_band": np.array(bands)})
    steps = Preprocessing(size=20, stretch=Stretch(bands=("z", "r", "g")))
    fits.writeto(tmp_path / "x.fits", images[1, ::-1])
    found = pixels(read(f"{path}:image_array")[1], steps)
    np.testing.assert_array_equal(found, pixels(Source(tmp_path / "x.fits")))


@pytest.mark.parametrize("bands", [["g", "r"], [["g", "r", "z"]] * 3, [["g", "r"]] * 2])
def test_a_wrong_number_of_names_of_bands_is_one_row(tmp_path: Path, bands: list):
    images = np.ones((2, 3, 20, 20), np.float32)
    path = hdf5(tmp_path / "x", {"image_array": images, "image_band": np.array(bands)})
    (source,) = read(f"{path}:image_array")
    assert "image_band has the shape" in str(source.content)
    assert "2 images of 3 bands" in str(source.content)


def test_a_single_image_is_not_taken_for_many(tmp_path: Path, write: Write):
    """[H, W, 3] would be H grey images of W x 3 pixels."""
    path = write(tmp_path / "x", {"images": galaxy(1)})
    (source,) = read(f"{path}:images")
    assert "as of a single image with colours" in str(source.content)
    path = write(tmp_path / "y", {"images": np.ones((20, 20, 3, 3), np.uint8)})  # N is last
    assert all("no image is so narrow" in str(pixels(source)) for source in read(f"{path}:images"))


def test_images_without_data_are_noted(tmp_path: Path, write: Write):
    """A cube that was made and not filled has images of the fill value."""
    for dtype in (np.uint8, np.float32):
        images = np.zeros((2, 20, 20, 3), dtype)
        images[1] = galaxy(1) * 1.5
        first, second = read(f"{write(tmp_path / 'x', {'images': images})}:images")
        assert decoded(first, STEPS).notes == ("all its pixels are 0, as where there are no data",)
        assert "no data" not in str(decoded(second, STEPS).notes)


def test_a_missing_part_of_a_virtual_array_is_one_row(tmp_path: Path):
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["x"] = PICTURES
    layout = h5py.VirtualLayout(PICTURES.shape, "u1")
    layout[:] = h5py.VirtualSource("part.h5", "x", PICTURES.shape)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_virtual_dataset("images", layout, fillvalue=9)
    assert len(read(f"{tmp_path / 'x.h5'}:images")) == len(PICTURES)
    (tmp_path / "part.h5").unlink()
    (source,) = read(f"{tmp_path / 'x.h5'}:images")
    assert "there is no file part.h5" in str(source.content)


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", ">i2", "<i2", ">u2", ">i4", "<f2"])
def test_the_order_of_the_bytes_does_not_matter(tmp_path: Path, write: Write, dtype: str):
    images = (PICTURES * 1.37).astype(np.int16).astype(dtype)
    path = write(tmp_path / "x", {"images": images})
    expected = pixels(Source(Stamp(images[2].astype(np.float64))))
    np.testing.assert_array_equal(pixels(read(f"{path}:images")[2]), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True, "shuffle": True},
        {"chunks": (2, 7, 18, 2), "compression": "gzip"},
        {"chunks": (9, 18, 18, 3), "maxshape": (None, 18, 18, 3)},
    ],
)  # fmt: skip
def test_every_storage_of_hdf5_is_read(tmp_path: Path, options: dict):
    path = hdf5(tmp_path / "x", {"images": PICTURES}, **options)
    found = [pixels(source) for source in read(f"{path}:images")]
    expected = [pixels(Source(Stamp(picture))) for picture in PICTURES]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_both_versions_of_zarr_are_read(tmp_path: Path, version: int, packed: bool):
    zarr = pytest.importorskip("zarr")
    place = tmp_path / ("x.zarr.zip" if packed else "x.zarr")
    store = zarr.storage.ZipStore(place, mode="w") if packed else place
    root = zarr.open_group(store, mode="w", zarr_format=version).create_group("g")
    root.create_array("images", data=PICTURES, chunks=(2, 18, 18, 3))
    root.create_array("ids", data=np.arange(9) + 10**18)
    if packed:
        store.close()
    sources = read(f"{place}:g/images")
    assert [source.id for source in sources] == [str(10**18 + n) for n in range(9)]
    expected = [pixels(Source(Stamp(picture))) for picture in PICTURES]
    np.testing.assert_array_equal([pixels(source) for source in sources], expected)


def test_the_pieces_that_are_read_at_once_change_nothing(tmp_path: Path, monkeypatch):
    for chunks in (None, (1, 18, 18, 3), (4, 9, 9, 3), (9, 18, 18, 3)):
        options = {} if chunks is None else {"chunks": chunks, "compression": "gzip"}
        path = hdf5(tmp_path / "cube", {"images": PICTURES}, **options)
        for block in (1, 4000, 2**22):
            for largest in (1, 2**28):
                monkeypatch.setattr(arrays, "_BLOCK", block)
                monkeypatch.setattr(arrays, "_LARGEST", largest)
                found = [source.content.pixels for source in read(path)]
                np.testing.assert_array_equal(found, PICTURES)
