"""Golden examples: drawn galaxies, and what the model file computes for them.

They are drawn rather than taken from the user's images, because a model file is passed on to other
people and must not contain anybody's unpublished data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from galaxy_edge.drawing.galaxy import as_png, galaxy
from galaxy_edge.engine.session import Result
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.manifest import Golden, Manifest

_POOL = 256
#: At least so many examples.
_COUNT = 8


def examples(
    run: Callable[[Pixels], Result], manifest: Manifest, usual: Sequence[bytes] = ()
) -> tuple[Golden, ...]:
    """Choose examples on the slope of the sigmoid or softmax, and record what the file computes.

    Near 0 and 1 these functions hide differences in what the network computed. In between, every
    difference shows.

    Args:
        run: scores uint8 [N, size, size, 3].
        manifest: of the model.
        usual: more examples, as PNG files, for the typicality.

    Returns:
        Eight different examples, or one for each class if there are more. The probability of the
        positive class, or of each class in turn, is spread as evenly from 0.1 to 0.9 as the pool
        allows. Then the additional ones.
    """
    size = max(_POOL, manifest.score_width)
    pool = [*(as_png(galaxy(seed), smallest=True) for seed in range(size)), *usual]
    images = np.stack([decode(png, manifest.preprocessing) for png in pool])
    result = run(images)
    scores, typicality = result.scores, result.typicality
    classes = [1] if manifest.score_width == 1 else range(manifest.score_width)
    each = -(-_COUNT // len(classes))
    targets = np.linspace(0.1, 0.9, each) if each > 1 else np.array([0.5])
    chosen: list[int] = []
    for column in classes:
        for target in targets:
            away = np.abs(scores[:size, column] - target)
            nearest = np.argsort(away, kind="stable").tolist()
            chosen.append(next(i for i in nearest if i not in chosen))
    if manifest.score_width == 1:
        chosen.sort(key=lambda i: (scores[i, 1], i))
    return tuple(
        Golden(
            pool[i],
            hashlib.sha256(images[i].tobytes()).hexdigest(),
            tuple(scores[i, -manifest.score_width :].tolist()),
            None if typicality is None else float(typicality[i]),
        )
        for i in (*chosen, *range(size, len(pool)))
    )
