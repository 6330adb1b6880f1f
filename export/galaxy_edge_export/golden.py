"""Golden examples: drawn galaxies whose scores are recorded in the model file.

They are drawn rather than taken from the user's images, because a model file is passed on to other
people and must not contain anybody's unpublished data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from galaxy_edge.decision import Probabilities
from galaxy_edge.drawing.galaxy import as_png, galaxy
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.manifest import Golden, Manifest

_POOL = 256
_COUNT = 8


def examples(score: Callable[[Pixels], Probabilities], manifest: Manifest) -> tuple[Golden, ...]:
    """Choose examples on the slope of the sigmoid, and record their scores.

    Near 0 and 1 the sigmoid hides differences in what the network computed. In between, every
    difference shows.

    Args:
        score: maps uint8 [N, size, size, 3] to float32 [N, 2].
        manifest: of the model.

    Returns:
        Eight different examples in the order of their scores, which are spread as evenly from 0.1
        to 0.9 as the pool allows.
    """
    pool = [as_png(galaxy(seed), smallest=True) for seed in range(_POOL)]
    images = np.stack([decode(png, manifest.preprocessing) for png in pool])
    scores = score(images)[:, 1]
    chosen: list[int] = []
    for target in np.linspace(0.1, 0.9, _COUNT):
        nearest = np.argsort(np.abs(scores - target), kind="stable").tolist()
        chosen.append(next(i for i in nearest if i not in chosen))
    return tuple(
        Golden(pool[i], hashlib.sha256(images[i].tobytes()).hexdigest(), (float(scores[i]),))
        for i in sorted(chosen, key=lambda i: (scores[i], i))
    )
