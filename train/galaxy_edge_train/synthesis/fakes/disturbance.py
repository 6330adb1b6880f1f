"""Reals that are disturbed at random: cheap fakes, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.parallel import in_threads
from galaxy_edge_train.augmentation import turn
from galaxy_edge_train.synthesis.fakes.family import DISTURBANCE_STREAM, Family, Reals

Levels: TypeAlias = npt.NDArray[np.float64]

_FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


class Disturbance(Family):
    """Each real is disturbed in one way; the kinds take turns."""

    def train(self, reals: Reals) -> dict[str, Any]:  # noqa: ARG002 - nothing to learn
        """Train nothing; returns the kinds of disturbances."""
        return {"kinds": [kind.__name__ for kind in KINDS]}

    def fakes(self, reals: Reals) -> Iterator[Pixels]:
        """Disturb each real."""
        total = len(reals.pixels)

        def make(row: int) -> Pixels:
            rng = np.random.default_rng([self.config.seed, DISTURBANCE_STREAM, row])
            return disturb(reals.pixels[row], row, rng)

        with in_threads(make, range(total)) as made:
            for done, fake in enumerate(made, start=1):
                yield fake
                self.bar.show(f"{self.name}, images", done, total)
        self.bar.clear()


def disturb(image: Pixels, kind: int, rng: np.random.Generator) -> Pixels:
    """Disturb an image so that at least one grey level changes.

    Args:
        image: uint8 (size, size, 3).
        kind: number of the kind. If it changes nothing, other kinds are drawn: only noise changes
            a blank image.
        rng: decides the parameters.

    Returns:
        uint8 (size, size, 3).
    """
    for attempt in count():
        number = int(rng.integers(len(KINDS))) if attempt else kind % len(KINDS)
        levels = KINDS[number](image.astype(np.float64), rng)
        made = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        if not np.array_equal(made, image):
            break
    return made


# Each kind takes grey levels, float64 (size, size, 3), 0 to 255, and returns them not clipped.


def resampled(image: Levels, rng: np.random.Generator) -> Levels:
    """Reduce to 0.3 to 0.9 of the size and enlarge again, each with a random filter."""
    size = len(image)
    side = int(rng.integers(round(0.3 * size), round(0.9 * size)))
    down, up = (_FILTERS[i] for i in rng.integers(len(_FILTERS), size=2))
    whole = Image.fromarray(image.astype(np.uint8))
    return np.asarray(whole.resize((side, side), down).resize((size, size), up), np.float64)


def blurred(image: Levels, rng: np.random.Generator) -> Levels:
    """Blur with a Gaussian of 0.5 to 1.5 px."""
    return _blur(image, rng.uniform(0.5, 1.5))


def blurred_and_noisy(image: Levels, rng: np.random.Generator) -> Levels:
    """Replace the noise: blur with a Gaussian of 0.7 to 2 px, then add 1 to 6 levels of noise."""
    return _blur(image, rng.uniform(0.7, 2)) + _noise(image, rng.uniform(1, 6), rng)


def noisy(image: Levels, rng: np.random.Generator) -> Levels:
    """Add 1 to 8 levels of noise: flat, or growing with the brightness."""
    noise = _noise(image, rng.uniform(1, 8), rng)
    return image + (noise * (0.3 + image / 255) if rng.integers(2) else noise)


def median_filtered(image: Levels, rng: np.random.Generator) -> Levels:
    """Replace each level by the median of 3 x 3 or 5 x 5 px."""
    side = int(rng.choice([3, 5]))
    return np.asarray(ndimage.median_filter(image, (side, side, 1)), np.float64)


def residual_moved(image: Levels, rng: np.random.Generator) -> Levels:
    """Move the fine detail to another place, or turn or mirror it: noise without its galaxy."""
    smooth = _blur(image, rng.uniform(0.8, 2.5))
    detail = image - smooth
    if rng.integers(2):
        moved = np.roll(detail, tuple(rng.integers(1, len(image), 2)), axis=(0, 1))
    else:
        moved = turn(detail, int(rng.integers(1, 8)))
    return smooth + moved


def residual_damped(image: Levels, rng: np.random.Generator) -> Levels:
    """Keep 0 to 0.7 of the fine detail."""
    return _scaled_residual(image, rng.uniform(0, 0.7))


def residual_amplified(image: Levels, rng: np.random.Generator) -> Levels:
    """Multiply the fine detail by 1.4 to 2.5."""
    return _scaled_residual(image, rng.uniform(1.4, 2.5))


KINDS: tuple[Callable[[Levels, np.random.Generator], Levels], ...] = (
    resampled, blurred, blurred_and_noisy, noisy, median_filtered,
    residual_moved, residual_damped, residual_amplified,
)  # fmt: skip


def _blur(image: Levels, deviation: float) -> Levels:
    return np.asarray(ndimage.gaussian_filter(image, (deviation, deviation, 0)), np.float64)


def _noise(image: Levels, deviation: float, rng: np.random.Generator) -> Levels:
    return deviation * rng.standard_normal(image.shape)


def _scaled_residual(image: Levels, factor: float) -> Levels:
    smooth = _blur(image, 1.0)
    return smooth + factor * (image - smooth)
