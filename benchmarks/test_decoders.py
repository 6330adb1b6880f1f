"""Other decoders against ours, from a file to the network's 64 pixels, on one thread.

    pip install -e '.[bench]'
    pytest benchmarks/test_decoders.py -s

Prints microseconds, the share of the whole way (our decoding, and scoring with the bundled model)
that each decoder would save in Pillow's place, and how far its pixels are from those of Pillow's
Lanczos filter, in grey levels. Our limits, EXIF and colour profiles would still be needed, so that
what counts is the difference to plain Pillow. Each uses its fastest good way to reduce an image;
those that only decode are combined with Pillow's resizing. The benchmark fails if one saves a third
of the whole way, because then it should be adopted.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import Predictor
from galaxy_edge.engine.turns import in_blocks
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.inputs.preprocessing import Preprocessing

cv2 = pytest.importorskip("cv2", reason="the extra `bench` is not installed")
imagecodecs = pytest.importorskip("imagecodecs", reason="the extra `bench` is not installed")
pyvips = pytest.importorskip("pyvips", reason="the extra `bench` is not installed")
simplejpeg = pytest.importorskip("simplejpeg", reason="the extra `bench` is not installed")

EXAMPLE = min((Path(__file__).parents[1] / "examples").glob("*.png"))
SIDE = 64
FAST = Preprocessing(SIDE, "lanczos", reducing_gap=3.0)
EXACT = Preprocessing(SIDE, "lanczos")
#: Adopt a decoder that saves this share of the whole way.
WORTHWHILE = 1 / 3
FILES = [("png", 150), ("png", 424), ("jpg", 150), ("jpg", 424)]

Decode = Callable[[Path], Pixels]


def by_pillow(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0))


def pillow(path: Path) -> Pixels:
    image = Image.open(path)
    image = image if image.mode == "RGB" else image.convert("RGB")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0))


def opencv(path: Path) -> Pixels:
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def codecs(path: Path) -> Pixels:
    read = imagecodecs.png_decode if path.suffix == ".png" else imagecodecs.jpeg8_decode
    return by_pillow(read(path.read_bytes()))


def vips(path: Path) -> Pixels:
    return np.asarray(pyvips.Image.thumbnail(str(path), SIDE))


def simple(path: Path) -> Pixels:
    content = path.read_bytes()
    # Reduced while it is decoded, to no less than three times the side.
    return by_pillow(simplejpeg.decode_jpeg(content, min_height=3 * SIDE, min_width=3 * SIDE))


@pytest.mark.parametrize(("suffix", "size"), FILES)
def test_other_decoders(benchmark: Any, tmp_path: Path, suffix: str, size: int):
    path = tmp_path / f"image.{suffix}"
    options = {"quality": 90} if suffix == "jpg" else {}
    Image.open(EXAMPLE).resize((size, size), Image.Resampling.BICUBIC).save(path, **options)
    cv2.setNumThreads(1)
    pyvips.concurrency_set(1)
    ways: dict[str, Decode] = {
        "ours": lambda path: decode(path, FAST),
        "pillow": pillow,
        "opencv": opencv,
        "imagecodecs": codecs,
        "pyvips": vips,
    } | ({"simplejpeg": simple} if suffix == "jpg" else {})
    predictor = Predictor(device="cpu", threads=1)
    batch = np.stack([decode(path, FAST)] * 32)
    works = [lambda way=way: way(path) for way in ways.values()]
    rounds = 8 if benchmark.enabled else 1
    times = in_blocks([*works, lambda: predictor.scores(batch)], rounds=rounds, runs=10)
    medians = [1e6 * statistics.median(chain(*each)) for each in times]
    taken = dict(zip(ways, medians, strict=False))
    score = medians[-1] / len(batch)
    exact = decode(path, EXACT).astype(int)
    print(f"\n{suffix.upper()} of {size} px; scoring takes {score:,.0f} us")
    for name, each in taken.items():
        saved = (taken["pillow"] - each) / (taken["ours"] + score)
        differs = np.abs(ways[name](path).astype(int) - exact)
        print(f"| {name} | {each:,.0f} | {saved:+.0%} | {differs.mean():.2f} | {differs.max()} |")
    benchmark.pedantic(lambda: None)
    if benchmark.enabled:
        best = min(taken.values())
        assert (taken["pillow"] - best) / (taken["ours"] + score) < WORTHWHILE
