"""The one function that writes images of either class to files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from galaxy_edge.inputs.images import Pixels


def write(folder: Path, images: Iterable[Pixels]) -> None:
    """Write images as ``00001.png``, ``00002.png``, ...

    The files are not compressed, so that all have the same size. How well an image compresses
    depends on its noise, so the size of a compressed file could reveal the class.

    Args:
        folder: created if it does not exist.
        images: uint8 (size, size, 3), RGB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, start=1):
        Image.fromarray(image).save(folder / f"{number:05}.png", compress_level=0)
