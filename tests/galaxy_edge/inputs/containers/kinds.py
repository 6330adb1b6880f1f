"""The same images in a container of each kind, and what each of them looks like."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.images import read
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.packing import tarred, zipped


@dataclass
class Packed:
    """A container.

    Attributes:
        path: as a user names it.
        layout: the options that it needs, with the column of identifiers.
        paths: the path of the row of each image.
        looks: each image as uint8 RGB, made without the container.
    """

    path: str
    layout: Layout
    paths: list[str]
    looks: list[np.ndarray]


def look(content: bytes) -> np.ndarray:
    return np.asarray(read(content))


def _flux(seed: int, size: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 5, (size, size)).astype(np.float32)


def _fits(image: np.ndarray) -> bytes:
    fits = pytest.importorskip("astropy.io.fits")
    file = io.BytesIO()
    fits.PrimaryHDU(image).writeto(file)
    return file.getvalue()


def _numbered(path: str, count: int) -> list[str]:
    return [f"{path}#{number}" for number in range(count)]


def parquet(folder: Path, ids: Sequence[str], *, arrays: bool = False) -> Packed:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [galaxy(seed, 12) for seed in range(len(ids))]
    kind = pa.list_(pa.list_(pa.list_(pa.uint8()))) if arrays else pa.binary()
    cells = [one.tolist() if arrays else encoded(one) for one in images]
    columns = {"picture": pa.array(cells, kind), "name": pa.array(ids, pa.string())}
    path = folder / "a.parquet"
    # Row groups of 20 rows, which are not a multiple of what is read at once.
    pq.write_table(pa.table(columns), path, row_group_size=20)
    return Packed(str(path), Layout("picture", "name"), _numbered(str(path), len(ids)), images)


def nested(folder: Path, ids: Sequence[str]) -> Packed:
    return parquet(folder, ids, arrays=True)


def archive(suffix: str, folder: Path, ids: Sequence[str]) -> Packed:
    images = [galaxy(seed, 12) for seed in range(len(ids))]
    files: dict[str, bytes] = {}
    for number, (one, name) in enumerate(zip(images, ids, strict=True)):
        files[f"in/{number:03}.png"] = encoded(one)
        files[f"in/{number:03}.json"] = json.dumps({"name": name}).encode()
    path = folder / f"a{suffix}"
    mode = f"w:{suffix.rpartition('.')[2]}" if suffix.count(".") > 1 else "w"
    path.write_bytes(zipped(files) if suffix == ".zip" else tarred(files, mode))
    paths = [f"{path}#in/{number:03}.png" for number in range(len(ids))]
    return Packed(str(path), Layout(id_column="name"), paths, images)


def _arrays(ids: Sequence[str]) -> dict[str, np.ndarray]:
    stack = np.stack([galaxy(seed, 12) for seed in range(len(ids))])
    return {"images": stack, "name": np.array(ids).astype(int)}


def hdf5(folder: Path, ids: Sequence[str]) -> Packed:
    pytest.importorskip("h5py")
    from tests.galaxy_edge.inputs.containers import stacks

    arrays = _arrays(ids)
    path = f"{stacks.hdf5(folder / 'a', arrays, chunks=(7, 12, 12, 3))}:images"
    return Packed(path, Layout(id_column="name"), _numbered(path, len(ids)), [*arrays["images"]])


def zarr(folder: Path, ids: Sequence[str]) -> Packed:
    pytest.importorskip("h5py")
    pytest.importorskip("zarr")
    from tests.galaxy_edge.inputs.containers import stacks

    arrays = _arrays(ids)
    path = f"{stacks.zarr_store(folder / 'a', arrays, chunks=(7, 12, 12, 3))}:images"
    return Packed(path, Layout(id_column="name"), _numbered(path, len(ids)), [*arrays["images"]])


def mosaic(folder: Path, ids: Sequence[str]) -> Packed:
    fits = pytest.importorskip("astropy.io.fits")
    stamps = [_flux(seed) for seed in range(len(ids))]
    path, table = folder / "a.fits", folder / "positions.csv"
    fits.writeto(path, np.hstack(stamps))
    lines = [f"{6 + 12 * number},6,{name}" for number, name in enumerate(ids)]
    table.write_text("\n".join(["x,y,name", *lines]) + "\n")
    layout = Layout(id_column="name", catalogue=table, size=12)
    looks = [look(_fits(stamp)) for stamp in stamps]
    return Packed(str(path), layout, _numbered(str(path), len(ids)), looks)


def _alerts(ids: Sequence[str], first: int = 0) -> tuple[bytes, list[np.ndarray]]:
    pytest.importorskip("fastavro")
    pytest.importorskip("astropy.io.fits")
    from tests.galaxy_edge.inputs.containers.packets import ZTF, packed

    stamps = [_fits(_flux(first + number)) for number in range(len(ids))]
    alerts = [
        {"objectId": name, "candid": 1, "candidate": {"magpsf": 18.5}}
        | {"cutoutScience": {"fileName": "x.fits", "stampData": stamp}}
        for name, stamp in zip(ids, stamps, strict=True)
    ]
    return packed(ZTF, alerts), [look(stamp) for stamp in stamps]


def avro(folder: Path, ids: Sequence[str]) -> Packed:
    content, looks = _alerts(ids)
    path = folder / "a.avro"
    path.write_bytes(content)
    layout = Layout(id_column="objectId")
    return Packed(str(path), layout, _numbered(str(path), len(ids)), looks)


def night(folder: Path, ids: Sequence[str]) -> Packed:
    """Alerts in an archive, three in each packet."""
    path, files, paths, looks = folder / "a.tar.gz", {}, [], []
    for start in range(0, len(ids), 3):
        content, some = _alerts(ids[start : start + 3], start)
        files[name := f"{start}.avro"] = content
        paths += _numbered(f"{path}#{name}", len(some))
        looks += some
    path.write_bytes(tarred(files, "w:gz"))
    return Packed(str(path), Layout(id_column="objectId"), paths, looks)


KINDS: dict[str, Callable[[Path, Sequence[str]], Packed]] = {
    "parquet": parquet,
    "parquet of arrays": nested,
    **{
        suffix: lambda folder, ids, suffix=suffix: archive(suffix, folder, ids)
        for suffix in (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")
    },
    "hdf5": hdf5,
    "zarr": zarr,
    "mosaic": mosaic,
    "avro": avro,
    "avro in tar.gz": night,
}
