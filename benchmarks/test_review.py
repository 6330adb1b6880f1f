"""The first picture of a page of `galaxy-edge review`, of a run on a container of 10,000 images.

    pytest benchmarks/test_review.py -s

The 60 pictures of a page are made in one pass over the container, so a page must take at most GOAL
times the time in which the reader gives every image of the container and 60 become pictures.
"""

from __future__ import annotations

import io
import statistics
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr
from astropy.io import fits
from PIL import Image

from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.images import read
from galaxy_edge.review.pictures import Pictures
from galaxy_edge.review.rows import Row

COUNT, SIDE, PAGE, PAGES = 10_000, 64, 60, 3
#: Largest ratio of the time of a page to that of reading the container once.
GOAL = 1.5

#: A container as it is named, and how it is read.
Made = tuple[str, Layout]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(60, 12, (COUNT, SIDE, SIDE, 3)).clip(0, 255).astype("u1")


@pytest.fixture(scope="module")
def files(images: np.ndarray) -> list[bytes]:
    streams = [io.BytesIO() for _ in images]
    for image, stream in zip(images, streams, strict=True):
        Image.fromarray(image).save(stream, "PNG")
    return [stream.getvalue() for stream in streams]


def write_tar(path: Path, files: list[bytes], mode: str) -> Made:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for number, content in enumerate(files):
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path), Layout()


def write_zip(path: Path, files: list[bytes]) -> Made:
    with zipfile.ZipFile(path, "w") as archive:
        for number, content in enumerate(files):
            archive.writestr(f"{number}.png", content)
    return str(path), Layout()


def write_parquet(path: Path, files: list[bytes], group: int) -> Made:
    pq.write_table(pa.table({"image": files}), path, row_group_size=group)
    return str(path), Layout("image")


def write_hdf5(path: Path, images: np.ndarray) -> Made:
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=(16, SIDE, SIDE, 3), compression="gzip")
    return f"{path}:images", Layout()


def write_zarr(path: Path, images: np.ndarray) -> Made:
    group = zarr.open_group(path, mode="w")
    group.create_array("images", data=images, chunks=(100, SIDE, SIDE, 3))
    return f"{path}:images", Layout()


def write_mosaic(path: Path, catalogue: Path) -> Made:
    rng = np.random.default_rng(0)
    fits.writeto(path, rng.normal(100, 5, (8000, 8000)).astype(np.float32))
    places = rng.uniform(SIDE, 8000 - SIDE, (COUNT, 2))
    catalogue.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in places))
    return str(path), Layout(catalogue=catalogue, size=SIDE)


KINDS: dict[str, Callable[[Path, np.ndarray, list[bytes]], Made]] = {
    "tar": lambda root, _, files: write_tar(root / "x.tar", files, "w"),
    "tar.gz": lambda root, _, files: write_tar(root / "x.tar.gz", files, "w:gz"),
    "tar.bz2": lambda root, _, files: write_tar(root / "x.tar.bz2", files, "w:bz2"),
    "tar.xz": lambda root, _, files: write_tar(root / "x.tar.xz", files, "w:xz"),
    "zip": lambda root, _, files: write_zip(root / "x.zip", files),
    "Parquet, one row group": lambda root, _, files: write_parquet(root / "1.pq", files, COUNT),
    "Parquet, 500 rows a group": lambda root, _, files: write_parquet(root / "2.pq", files, 500),
    "HDF5, gzip": lambda root, images, _: write_hdf5(root / "x.h5", images),
    "Zarr": lambda root, images, _: write_zarr(root / "x.zarr", images),
    "mosaic": lambda root, *_: write_mosaic(root / "x.fits", root / "x.csv"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_takes_one_pass(
    tmp_path: Path, images: np.ndarray, files: list[bytes], kind: str
) -> None:
    container, layout = KINDS[kind](tmp_path, images, files)
    pictures, pages, wholes = Pictures(layout=layout), [], []
    order = np.random.default_rng(1).permutation(COUNT)
    # In turn, so that a busy machine slows both.
    for start in range(0, PAGE * PAGES, PAGE):
        chosen = {*order[start : start + PAGE].tolist()}
        page = []
        before = time.perf_counter()
        for number, source in enumerate(members(container, layout)):
            if number in chosen:
                page.append(str(source.path))
                read(source).save(io.BytesIO(), "PNG", compress_level=1)
        wholes.append(time.perf_counter() - before)
        assert len(page) == PAGE
        before = time.perf_counter()
        pictures.expect(page)
        for path in page:
            pictures.png(path, 256, Row(path, path, "ok", "", "Real", 0.9, (), None, 0.5))
        pages.append(time.perf_counter() - before)
    one, whole = statistics.median(pages), statistics.median(wholes)
    print(f"\n{kind}: a page takes {one:.2f} s, reading everything {whole:.2f} s")
    assert one <= GOAL * whole
