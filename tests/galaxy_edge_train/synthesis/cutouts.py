"""Helpers of these tests: folders of real cutouts, and the images in them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.synthesis.reals import read
from tests.conftest import encoded, galaxy

PREPROCESSING = Preprocessing(size=16, resize="lanczos")


def reals(folder: Path, count: int, first: int = 0, size: int = 20) -> Path:
    """Fill a folder with different galaxies; the same number gives the same galaxy."""
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        (folder / f"{number:04}.png").write_bytes(encoded(galaxy(number, size)))
    return folder


def digests_by_split(folder: Path) -> dict[str, set[str]]:
    """The digests of a folder's cutouts, as a synthesis splits them."""
    (source,) = read([folder], PREPROCESSING)
    return {
        split: {cutout.digest for cutout in cutouts} for split, cutouts in source.splits.items()
    }


def opened(path: Path) -> Image.Image:
    """The image in memory, with its file closed."""
    with Image.open(path) as image:
        image.load()
        return image
