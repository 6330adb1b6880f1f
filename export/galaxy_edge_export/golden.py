"""Golden examples: drawn galaxies whose scores are recorded in the model file.

They are drawn rather than taken from the user's images, because a model file is passed on to other
people and must not contain anybody's unpublished data.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.manifest import Golden

_SIZE = 64
_POOL = 256
_COUNT = 8


def examples(
    score: Callable[[Pixels], npt.NDArray[np.float32]], preprocessing: Preprocessing
) -> tuple[Golden, ...]:
    """Choose examples on the slope of the sigmoid, and record their scores.

    Near 0 and 1 the sigmoid hides differences in what the network computed. In between, every
    difference shows.

    Args:
        score: maps uint8 [N, size, size, 3] to float32 [N].
        preprocessing: the preprocessing of the model.

    Returns:
        Eight different examples in the order of their scores, which are spread as evenly from 0.1
        to 0.9 as the pool allows.
    """
    pool = [as_png(galaxy(seed)) for seed in range(_POOL)]
    images = np.stack([decode(png, preprocessing) for png in pool])
    scores = score(images)
    chosen: list[int] = []
    for target in np.linspace(0.1, 0.9, _COUNT):
        nearest = np.argsort(np.abs(scores - target), kind="stable").tolist()
        chosen.append(next(i for i in nearest if i not in chosen))
    return tuple(
        Golden(pool[i], hashlib.sha256(images[i].tobytes()).hexdigest(), float(scores[i]))
        for i in sorted(chosen, key=lambda i: (scores[i], i))
    )


def galaxy(seed: int) -> Pixels:
    """Draw a galaxy: an inclined exponential disc, a round bulge, stars and sky noise.

    Returns:
        uint8 (64, 64, 3), RGB.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:_SIZE, :_SIZE] - (_SIZE - 1) / 2
    angle, axis_ratio = rng.uniform(0, np.pi), rng.uniform(0.2, 1.0)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) / axis_ratio
    disc = rng.uniform(40, 200) * np.exp(-np.hypot(along, across) / rng.uniform(3, 12))
    bulge = rng.uniform(20, 200) * np.exp(-np.hypot(x, y) / rng.uniform(1, 3))
    light = disc[..., None] * rng.uniform(0.5, 1.0, 3)
    light += bulge[..., None] * np.array([1.0, 0.85, 0.6])
    for _ in range(rng.integers(0, 6)):
        centre = rng.uniform(-_SIZE / 2, _SIZE / 2, 2)
        star = rng.uniform(30, 255) * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2)
        light += star[..., None] * rng.uniform(0.6, 1.0, 3)
    light += rng.normal(rng.uniform(5, 25), rng.uniform(1, 8), light.shape)
    return np.asarray(light.clip(0, 255), dtype=np.uint8)


def as_png(image: Pixels) -> bytes:
    """Encode an image as PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()
