"""How cost grows with the images in a stream, the batch size, the threads and the image size.

    GALAXY_EDGE_LONG=1 pytest benchmarks/test_growth.py --benchmark-json=growth.json
    tools/growth growth.json -o docs

Without GALAXY_EDGE_LONG the stream of 100,000 images is skipped; it takes minutes. Without timing
(--benchmark-disable) every case that takes more than a second is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.drawing.galaxy import as_png, galaxy
from galaxy_edge.engine.threads import threads
from galaxy_edge.inputs.images import decode

#: Scores a stream of `count` images, the files of a folder repeated; prints its peak memory, bytes.
STREAM = """
import sys
from itertools import cycle, islice
from pathlib import Path
from galaxy_edge import Predictor
from galaxy_edge.benchmark.memory import peak_bytes
folder, count = sys.argv[1], int(sys.argv[2])
paths = islice(cycle(sorted(Path(folder).iterdir())), count)
rows = Predictor(device="cpu").predict_many(paths)
assert sum(row.status != "error" for row in rows) == count
print(peak_bytes())
"""
#: Largest peak memory of a longer stream, as a multiple of that of 1,000 images.
GOAL = 1.1
ALL = threads().count
LONG = pytest.mark.skipif(
    "GALAXY_EDGE_LONG" not in os.environ, reason="takes minutes; GALAXY_EDGE_LONG=1 runs it"
)


def skip_large_if_untimed(benchmark: Any, *, large: bool) -> None:
    if large and not benchmark.enabled:
        pytest.skip("large case; runs only when timed")


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    for seed in range(8 if pytestconfig.getoption("benchmark_disable") else 256):
        (root / f"{seed:03}.png").write_bytes(as_png(galaxy(seed, 150)))
    return root


@pytest.fixture(scope="module")
def peaks() -> dict[int, int]:
    return {}


@pytest.mark.benchmark(group="images")
@pytest.mark.parametrize("images", [100, 1000, 10_000, pytest.param(100_000, marks=LONG)])
def test_images(benchmark: Any, folder: Path, peaks: dict[int, int], images: int):
    """A whole process that scores a few hundred files, repeated."""
    skip_large_if_untimed(benchmark, large=images > 100)
    command = [sys.executable, "-c", STREAM, folder, str(images)]
    done = benchmark.pedantic(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True),
        rounds=min(max(3000 // images, 1), 5),
    )
    if done.stdout.strip() != "None":  # Windows
        peaks[images] = int(done.stdout)
        benchmark.extra_info["peak_mib"] = round(peaks[images] / 2**20, 1)
        if images > 1000 and 1000 in peaks:
            assert peaks[images] <= GOAL * peaks[1000]


@pytest.mark.benchmark(group="batch")
@pytest.mark.parametrize("batch", [1, 2, 4, 8, 16, 32, 64, 128, 256])
def test_batch(benchmark: Any, batch: int):
    """The network alone, on all threads."""
    predictor = Predictor(device="cpu")
    rng = np.random.default_rng(0)
    size = predictor.preprocessing.size
    images = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    assert benchmark(predictor.scores, images).shape == (batch, 2)


# Powers of two, and all threads.
@pytest.mark.parametrize("count", sorted({2**n for n in range(10) if 2**n < ALL} | {ALL}))
@pytest.mark.benchmark(group="threads")
class TestThreads:
    def test_one_image(self, benchmark: Any, count: int):
        """The network alone."""
        predictor = Predictor(device="cpu", threads=count)
        image = decode(as_png(galaxy(0, 150)), predictor.preprocessing)[None]
        assert benchmark(predictor.scores, image).shape == (1, 2)

    def test_many_files(self, benchmark: Any, folder: Path, count: int):
        """From paths to verdicts."""
        predictor = Predictor(device="cpu", threads=count)
        paths = sorted(folder.iterdir())
        benchmark.extra_info["files"] = len(paths)
        rows = benchmark(lambda: list(predictor.predict_many(paths)))
        assert all(row.status != "error" for row in rows)


@pytest.mark.benchmark(group="image size")
@pytest.mark.parametrize("side", [64, 128, 256, 512, 1024, 2048])
def test_image_size(benchmark: Any, side: int):
    """One square image at a time, from the bytes of a PNG file to the verdict."""
    skip_large_if_untimed(benchmark, large=side > 512)
    predictor = Predictor(device="cpu")
    source = as_png(galaxy(0, side))
    benchmark.extra_info["kib"] = round(len(source) / 1024, 1)
    assert benchmark(predictor.predict, source).status != "error"
