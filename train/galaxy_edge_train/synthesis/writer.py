"""The one way in which images of either class become files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from galaxy_edge.inputs.images import Pixels


def write(folder: Path, images: Iterable[Pixels]) -> None:
    """Write images as ``00001.png``, ``00002.png``, ...

    They are not compressed, so that every file has the same size: how well an image compresses
    says how noisy it is, and a classifier of files would need to know nothing else.

    Args:
        folder: made when it is not there.
        images: uint8 (size, size, 3), RGB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, start=1):
        Image.fromarray(image).save(folder / f"{number:05}.png", compress_level=0)
