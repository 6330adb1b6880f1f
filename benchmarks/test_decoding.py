"""The steps from a file to the network's input, one after the other.

    pytest benchmarks/test_decoding.py -s

Prints microseconds for each step as Pillow does it (FITS: as the reader does it), and for the whole
decoder, at a working size of 64 pixels: exact, and with a reducing gap of 3.
The decoder may add a third to Pillow's own steps.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import ExifTags, Image

from galaxy_edge.inputs.images import decode, read
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import galaxy

SIZES = (64, 150, 424, 2048)
SIDE = 64
#: Largest time of the whole decoder, as a share of its steps.
GOAL = 1.33
_LANCZOS = Image.Resampling.LANCZOS


def microseconds(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median time of each step; the steps take turns, so that a slow moment hits them all."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            found[name].append((time.perf_counter() - start) * 1e6)
    return {name: statistics.median(some) for name, some in found.items()}


def saved(size: int, form: str) -> bytes:
    pixels = galaxy(1, size)
    file = io.BytesIO()
    if form == "FITS":
        grey = pixels.mean(axis=2).astype(np.float32)
        fits.PrimaryHDU(grey).writeto(file)
    else:
        Image.fromarray(pixels).save(file, form, quality=90)
    return file.getvalue()


def reduced(image: Image.Image, gap: float | None = None) -> Image.Image:
    return image.resize((SIDE, SIDE), _LANCZOS, reducing_gap=gap)


def steps_of(path: Path, form: str) -> dict[str, Callable[[], object]]:
    exact = Preprocessing(SIDE, "lanczos")
    fast = Preprocessing(SIDE, "lanczos", reducing_gap=3.0)
    image = read(path)
    small = reduced(image)
    one = np.array(small)
    common: dict[str, Callable[[], object]] = {
        "reduce": lambda: reduced(image),
        "reduce, gap 3": lambda: reduced(image, 3.0),
        "copy": lambda: np.array(small),
        "stack": lambda: np.stack([one]),
        "decode": lambda: decode(path, exact),
        "decode, gap 3": lambda: decode(path, fast),
    }
    if form == "FITS":
        return {"read and stretch": lambda: read(path)} | common

    def load() -> Image.Image:
        with Image.open(path) as opened:
            opened.load()
            return opened

    loaded = load()
    return {
        "open": lambda: Image.open(path).close(),
        "open and decompress": load,
        "EXIF": lambda: loaded.getexif().get(ExifTags.Base.Orientation, 1),
        "convert": lambda: loaded if loaded.mode == "RGB" else loaded.convert("RGB"),
    } | common


@pytest.mark.parametrize("form", ["PNG", "JPEG", "FITS"])
def test_each_step_of_one_image(tmp_path: Path, form: str, benchmark):
    table = {}
    for size in SIZES:
        path = tmp_path / f"{size}.{form.lower()}"
        path.write_bytes(saved(size, form))
        table[size] = microseconds(steps_of(path, form), 10 if size > 1000 else 60)
    print(f"\n| {form}, us | " + " | ".join(f"{size} px" for size in SIZES) + " |")
    print("|---" * (1 + len(SIZES)) + "|")
    for name in table[SIZES[0]]:
        print(f"| {name} | " + " | ".join(f"{table[size][name]:,.0f}" for size in SIZES) + " |")
    benchmark.pedantic(lambda: None)
    if not benchmark.enabled:
        return
    first = "read and stretch" if form == "FITS" else "open and decompress"
    for size in SIZES[1:]:
        row = table[size]
        pillow = sum(row.get(name, 0) for name in (first, "EXIF", "convert", "reduce", "copy"))
        assert row["decode"] <= GOAL * pillow, size
