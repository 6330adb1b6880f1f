"""Drawn galaxies: images that are nobody's data."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from galaxy_edge.inputs.images import Pixels


def galaxy(seed: int, size: int = 64) -> Pixels:
    """Draw a galaxy: an inclined exponential disc, a round bulge, stars and sky noise.

    Args:
        seed: of its shape, colour, stars and noise.
        size: height and width, pixels.

    Returns:
        uint8 (size, size, 3), RGB.
    """
    rng = np.random.default_rng(seed)
    # In units of a 64th of the image, so that every size shows the same galaxy.
    scale = size / 64
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / scale
    angle, axis_ratio = rng.uniform(0, np.pi), rng.uniform(0.2, 1.0)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) / axis_ratio
    disc = rng.uniform(40, 200) * np.exp(-np.hypot(along, across) / rng.uniform(3, 12))
    bulge = rng.uniform(20, 200) * np.exp(-np.hypot(x, y) / rng.uniform(1, 3))
    light = disc[..., None] * rng.uniform(0.5, 1.0, 3)
    light += bulge[..., None] * np.array([1.0, 0.85, 0.6])
    for _ in range(rng.integers(0, 6)):
        centre = rng.uniform(-32, 32, 2)
        star = rng.uniform(30, 255) * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2)
        light += star[..., None] * rng.uniform(0.6, 1.0, 3)
    light += rng.normal(rng.uniform(5, 25), rng.uniform(1, 8), light.shape)
    return np.asarray(light.clip(0, 255), dtype=np.uint8)


def as_png(image: Pixels, *, smallest: bool = False) -> bytes:
    """Encode an image as PNG; the smallest file takes several times as long."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=smallest)
    return file.getvalue()
