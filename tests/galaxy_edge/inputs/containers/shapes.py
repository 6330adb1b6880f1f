"""The same images in each kind of container, some of them damaged."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from tests.conftest import encoded, galaxy


@dataclass(frozen=True)
class Shape:
    """A container and the options of `predict` for it."""

    path: str
    options: tuple[str, ...] = ()


def files(count: int) -> list[bytes]:
    """PNG files; every seventh is damaged. Few are drawn, because drawing takes long."""
    drawn = [encoded(galaxy(seed)) for seed in range(20)]
    return [b"damaged" if n % 7 == 3 else drawn[n % len(drawn)] for n in range(count)]


def parquet(folder: Path, count: int) -> Shape:
    table = pa.table(
        {
            "image": pa.array(files(count), pa.binary()),
            "object_id": [10**18 + number for number in range(count)],
            "ra": pa.array([None if n % 5 == 0 else n / 8 for n in range(count)], pa.float64()),
        }
    )
    pq.write_table(table, folder / "x.parquet", row_group_size=50)
    return Shape(
        f"{folder}/x.parquet",
        ("--image-column", "image", "--id-column", "object_id", "--keep", "ra"),
    )


def _samples(count: int) -> dict[str, bytes]:
    found = {}
    for number, file in enumerate(files(count)):
        found[f"s/{number:06}.png"] = file
        found[f"s/{number:06}.json"] = json.dumps({"objid": f"J{number}", "mag": number}).encode()
    return found


def tar(folder: Path, count: int) -> Shape:
    """A tar that is cut off within a member after the last image of `count`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in _samples(count).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (folder / "x.tar").write_bytes(stream.getvalue()[:-11_000])
    return Shape(f"{folder}/x.tar", ("--id-column", "objid", "--keep", "mag"))


def zipped(folder: Path, count: int) -> Shape:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for name, content in _samples(count).items():
            archive.writestr(name, content)
    return Shape(f"{folder}/x.zip", ("--id-column", "objid", "--keep", "mag"))


def hdf5(folder: Path, count: int) -> Shape:
    import h5py

    images = np.stack([galaxy(seed % 20) for seed in range(count)])
    with h5py.File(folder / "x.h5", "w") as file:
        data = file.create_dataset("images", data=images, chunks=(3, 20, 20, 3), compression="gzip")
        file["ids"] = np.arange(count)
        file["z"] = np.arange(count, dtype=np.float32) / 10
        place = data.id.get_chunk_info(2).byte_offset
    content = bytearray((folder / "x.h5").read_bytes())
    content[place + 40] ^= 0xFF
    (folder / "x.h5").write_bytes(content)
    return Shape(f"{folder}/x.h5:images", ("--keep", "z"))


def mosaic(folder: Path, count: int) -> Shape:
    rng = np.random.default_rng(5)
    fits.writeto(folder / "m.fits", rng.normal(10, 1, (3, 300, 200)).astype(np.float32))
    lines = [f"G{n},{x:.2f},{y:.2f}" for n, (x, y) in enumerate(rng.uniform(0, 200, (count, 2)))]
    (folder / "c.csv").write_text("\n".join(["id,x,y", *lines]) + "\n")
    return Shape(
        f"{folder}/m.fits", ("--catalogue", f"{folder}/c.csv", "--size", "20", "--keep", "x")
    )


def hats(folder: Path, count: int) -> Shape:
    """Three partitions; a row group of the second one is damaged, and the third is no Parquet."""
    shape = parquet(folder, count)
    table = pq.read_table(shape.path)
    Path(shape.path).unlink()
    root = folder / "hats" / "dataset"
    for number in range(2):
        part = root / f"Norder=1/Dir=0/Npix={number}.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        half = table.slice(number * (count // 2), count // 2)
        pq.write_table(half, part, row_group_size=5, compression="none", use_dictionary=False)
    place = pq.read_metadata(part).row_group(0).column(0).data_page_offset
    content = bytearray(part.read_bytes())
    content[place : place + 20] = bytes(20)
    part.write_bytes(content)
    (part.parent / "Npix=2.parquet").write_bytes(b"PAR1 nothing")
    (root / "_metadata").write_bytes(b"nothing")
    return Shape(f"{folder}/hats", shape.options)


def zarr_store(folder: Path, count: int) -> Shape:
    zarr = pytest.importorskip("zarr")
    images = np.stack([galaxy(seed % 20) for seed in range(count)])
    root = zarr.open_group(folder / "x.zarr", mode="w", zarr_format=2)
    root.create_array("images", data=images, chunks=(3, 20, 20, 3))
    root.create_array("ids", data=np.arange(count) + 10**18)
    (folder / "x.zarr/images/2.0.0.0").write_bytes(b"damaged")
    return Shape(f"{folder}/x.zarr:images", ("--keep", "ids"))


def compressed(folder: Path, count: int) -> Shape:
    """A compressed tar that ends too soon."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name, content in _samples(count).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (folder / "x.tar.gz").write_bytes(stream.getvalue()[:-4_000])
    return Shape(f"{folder}/x.tar.gz", ("--id-column", "objid", "--keep", "mag"))


SHAPES: dict[str, Callable[[Path, int], Shape]] = {
    "parquet": parquet, "hats": hats, "tar": tar, "tar.gz": compressed, "zip": zipped,
    "hdf5": hdf5, "zarr": zarr_store, "mosaic": mosaic,
}  # fmt: skip
