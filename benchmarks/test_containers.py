"""The same images in each kind of container against plain files, and memory against their number.

    pytest benchmarks/test_containers.py

A container must take at most GOAL times the time of its images as files: for Parquet and tar, which
hold the same files. Arrays and mosaics hold pixels, so they are only reported.
"""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from galaxy_edge import Predictor, inputs

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
COUNT = 1000
#: Largest ratio of the time of a container to that of plain files.
GOAL = 1.1
ROUNDS = 5
#: Numbers of rows, and the most that the peak memory may grow from the first to the last.
ROWS = (1_000, 10_000, 100_000)
GROWTH = 32 * 2**20
#: A run that prints its number of rows and its peak memory, bytes.
MEMORY = """
import sys
from galaxy_edge import Predictor, inputs
from galaxy_edge.benchmark.memory import peak_bytes
predictor = Predictor(device="cpu", threads=2)
count = sum(1 for _ in predictor.predict_many(inputs.open(sys.argv[1], **eval(sys.argv[2]))))
print(count, peak_bytes())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PNG files of 150 px, and the same in containers."""
    root = tmp_path_factory.mktemp("containers")
    (root / "files").mkdir()
    paths = [root / "files" / f"{number:04}.png" for number in range(COUNT)]
    for path, example in zip(paths, EXAMPLES, strict=False):
        Image.open(example).resize((150, 150), Image.Resampling.BICUBIC).save(path)
    for number in range(len(EXAMPLES), COUNT):
        shutil.copyfile(paths[number % len(EXAMPLES)], paths[number])
    contents = [path.read_bytes() for path in paths]
    write_parquet(root / "x.parquet", contents)
    write_tar(root / "x.tar", contents)
    write_tar(root / "x.tar.gz", contents, "w:gz")
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number:04}.png", content)
    write_pixels(root, np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths]))
    return root


def write_pixels(root: Path, images: np.ndarray) -> None:
    """The pixels of images [N, H, W, 3] as an HDF5 array, a Zarr array and a mosaic."""
    import h5py  # noqa: PLC0415 - extras
    import zarr  # noqa: PLC0415
    from astropy.io import fits  # noqa: PLC0415

    with h5py.File(root / "x.h5", "w") as file:
        file.create_dataset("images", data=images, chunks=(8, *images.shape[1:]))
    group = zarr.open_group(root / "x.zarr", mode="w")
    group.create_array("images", data=images, chunks=(8, *images.shape[1:]))
    size = images.shape[1]
    rows = [np.hstack(images[place : place + 20]) for place in range(0, len(images), 20)]
    fits.writeto(root / "mosaic.fits", np.moveaxis(np.vstack(rows), 2, 0).astype(np.int16))
    centre = (size - 1) / 2
    places = [f"{size * (n % 20) + centre},{size * (n // 20) + centre}" for n in range(len(images))]
    (root / "places.csv").write_text("x,y\n" + "\n".join(places) + "\n")


def write_parquet(path: Path, contents: Iterable[bytes]) -> None:
    schema = pa.schema([("image", pa.binary()), ("id", pa.int64())])
    with pq.ParquetWriter(path, schema) as file:
        # Row groups as large as pandas writes them.
        rows = [{"image": content, "id": number} for number, content in enumerate(contents)]
        file.write_table(pa.Table.from_pylist(rows, schema), row_group_size=100_000)


def write_tar(path: Path, contents: Iterable[bytes], mode: Any = "w") -> None:
    with tarfile.open(path, mode) as archive:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"{number:06}.png")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("name", "options", "goal"),
    [
        ("x.parquet", {"image_column": "image", "id_column": "id"}, GOAL), ("x.tar", {}, GOAL),
        ("x.tar.gz", {}, None), ("x.zip", {}, None), ("x.h5:images", {}, None),
        ("x.zarr:images", {}, None),
        ("mosaic.fits", {"catalogue": "places.csv", "size": 150}, None),
    ],
)  # fmt: skip
def test_a_container_takes_the_time_of_its_files(
    benchmark: Any, folder: Path, name: str, options: dict[str, Any], goal: float | None
):
    predictor = Predictor(device="cpu")
    if "catalogue" in options:
        options = options | {"catalogue": str(folder / options["catalogue"])}
    ratios = []

    def both() -> None:
        # In turns, so that other work on the machine meets both.
        files = seconds(lambda: list(predictor.predict_many(inputs.open(folder / "files"))))
        packed = seconds(
            lambda: list(predictor.predict_many(inputs.open(folder / name, **options)))
        )
        ratios.append(packed / files)

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)
    if benchmark.enabled:
        ratio = statistics.median(ratios[1:])
        benchmark.extra_info["ratio to files"] = round(ratio, 3)
        print(f"\n{name}: {ratio:.3f} times the time of plain files")
        assert goal is None or ratio <= goal


def peak(path: Path, options: dict[str, Any]) -> tuple[int, int]:
    """Number of rows and peak memory, bytes, of a run in its own process."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, path, repr(options)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows, memory = map(int, done.stdout.split())
    return rows, memory


@pytest.mark.parametrize("kind", ["parquet", "tar", "hdf5", "mosaic"])
def test_memory_does_not_grow_with_the_number_of_rows(
    tmp_path: Path, kind: str, pytestconfig: pytest.Config
):
    small = io.BytesIO()
    Image.open(EXAMPLES[0]).save(small, "PNG")
    found = []
    # Untimed, only the first number of rows is tried.
    for rows in ROWS[:1] if pytestconfig.getoption("benchmark_disable") else ROWS:
        options: dict[str, Any] = {}
        path = tmp_path / f"x.{kind}"
        if kind == "parquet":
            write_parquet(path, [small.getvalue()] * rows)
            options = {"image_column": "image"}
        elif kind == "tar":
            write_tar(path, [small.getvalue()] * rows)
        elif kind == "hdf5":
            import h5py  # noqa: PLC0415 - an extra

            with h5py.File(path, "w") as file:
                shape, chunks = (rows, 64, 64, 3), (10, 64, 64, 3)
                file.create_dataset("images", shape, np.uint8, chunks=chunks)[: rows // 2] = 9
        else:
            from astropy.io import fits  # noqa: PLC0415 - an extra

            path = tmp_path / "x.fits"
            rng = np.random.default_rng(0)
            fits.writeto(path, rng.normal(0, 1, (500, 500)).astype("f4"), overwrite=True)
            places = rng.uniform(40, 460, (rows, 2)).round(2)
            table = tmp_path / "c.csv"
            table.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in places))
            options = {"catalogue": str(table), "size": 64}
        count, memory = peak(path, options)
        assert count == rows
        found.append(memory)
        path.unlink()
    print(f"\n{kind}: " + ", ".join(f"{m / 2**20:.0f} MiB" for m in found) + f" for {ROWS} rows")
    assert found[-1] - found[0] <= GROWTH
