"""A survey against `predict` on the same files, and memory against the number of rows.

    pytest benchmarks/test_survey.py -s

A survey must take at most GOAL times the time of `predict`, and its memory must not grow.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
#: Largest ratio of the time of a survey to that of `predict`, to a Parquet file too.
GOAL = 1.1
ROUNDS = 5
PARTS, IMAGES = 4, 1000
#: Numbers of rows, and the most that the peak memory may grow from the first to the last, bytes.
ROWS = (2_000, 20_000)
GROWTH = 32 * 2**20
PART = 1_000
#: Runs the command line and prints the peak memory, bytes.
MEMORY = """
import sys
from galaxy_edge.benchmark.memory import peak_bytes
from galaxy_edge.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print(end.code, peak_bytes())
"""


def write(folder: Path, parts: int, images: int, size: int) -> Path:
    folder.mkdir()
    contents = []
    for example in EXAMPLES:
        path = folder / "one.png"
        Image.open(example).resize((size, size), Image.Resampling.BICUBIC).save(path)
        contents.append(path.read_bytes())
        path.unlink()
    column = pa.array([contents[number % len(contents)] for number in range(images)])
    for part in range(parts):
        pq.write_table(pa.table({"image": column}), folder / f"{part:04}.parquet")
    return folder


def command(name: str, source: Path, output: Path) -> list[str]:
    words = [name, source, "--image-column", "image", "-o", output, "--device", "cpu", "-q"]
    return [str(word) for word in words]


def seconds(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "galaxy_edge", *words], check=True)
    return time.perf_counter() - start


def test_a_survey_takes_the_time_of_predict(benchmark: Any, tmp_path: Path):
    source = write(tmp_path / "cutouts", PARTS, IMAGES if benchmark.enabled else 4, 150)
    ratios = []

    def both() -> None:
        # In turns, so that other work on the machine meets both.
        alone = seconds(command("predict", source, tmp_path / "rows.parquet"))
        ratios.append(seconds(command("survey", source, tmp_path / "survey")) / alone)
        shutil.rmtree(tmp_path / "survey")

    benchmark.pedantic(both, rounds=ROUNDS)
    if benchmark.enabled:
        ratio = statistics.median(ratios)
        benchmark.extra_info["ratio to predict"] = round(ratio, 3)
        print(f"\n{ratio:.3f} times the time of predict")
        assert ratio <= GOAL


def test_memory_does_not_grow_with_the_number_of_rows(benchmark: Any, tmp_path: Path):
    peaks = []

    def measure() -> None:
        for rows in ROWS if benchmark.enabled else (8, 16):
            source = write(tmp_path / f"{rows}", max(1, rows // PART), min(rows, PART), 24)
            words = [*command("survey", source, tmp_path / f"survey-{rows}"), "--threads", "2"]
            done = subprocess.run(
                [sys.executable, "-c", MEMORY, *words], capture_output=True, text=True, check=True
            )
            code, peak = done.stdout.split()
            assert code == "0"
            peaks.append(int(peak))

    benchmark.pedantic(measure, rounds=1)
    print(f"\n{[f'{peak / 2**20:.0f} MiB' for peak in peaks]}")
    if benchmark.enabled:
        assert peaks[-1] - peaks[0] <= GROWTH
