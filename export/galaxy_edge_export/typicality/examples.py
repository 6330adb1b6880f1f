"""Drawn images that are usual: golden examples whose typicality is not 0.

A drawn galaxy is unlike the images of any survey. Here its brightness and that of noise of three
sharpnesses, alike and different in the bands, are changed step by step until it is as usual as it
gets. Like the other examples, it is made of nobody's image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.drawing.galaxy import galaxy
from galaxy_edge.inputs.images import Pixels, fit
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_export.typicality.description import Description, seen_statistics
from galaxy_edge_export.typicality.gaussians import best_density

_Floats = npt.NDArray[np.float64]

#: Steps of the search, and images tried in each.
_STEPS, _TRIED = 60, 8
#: How often the noise is smoothed.
_SMOOTHED = (0, 1, 3)
_BANDS = 3


def usual_example(description: Description, preprocessing: Preprocessing, seed: int) -> Pixels:
    """Draw a galaxy with noise that is as usual as possible.

    Args:
        description: what is usual.
        preprocessing: of the model.
        seed: of the galaxy and the noise.

    Returns:
        uint8 [size, size, 3].
    """
    side = preprocessing.size
    rng = np.random.default_rng(seed)
    layers = _layers(side, rng)
    light = galaxy(seed, side).astype(np.float64)

    def density(settings: _Floats) -> _Floats:
        images = [
            fit(Image.fromarray(_image(light, layers, one)), preprocessing) for one in settings
        ]
        seen = seen_statistics(description.view, np.stack(images))
        return best_density(description.familiar.sources, seen)

    best = np.zeros(2 + _BANDS * len(layers))
    reached, step = density(best[None])[0], 0.5
    for _ in range(_STEPS):
        changed = rng.random((_TRIED, len(best))) < 0.3
        tried = best + changed * rng.normal(0, step, changed.shape)
        found = density(tried)
        first = int(found.argmax())
        if found[first] > reached:
            best, reached, step = tried[first], found[first], min(1.3 * step, 1.0)
        else:
            step = max(0.85 * step, 0.02)
    return _image(light, layers, best)


def _layers(side: int, rng: np.random.Generator) -> list[_Floats]:
    """Noise of standard deviation 1, the same in all bands or another in each."""
    layers = []
    for times in _SMOOTHED:
        for bands in (1, _BANDS):
            noise = rng.normal(size=(side, side, bands))
            for _ in range(times):
                for axis in (0, 1):
                    noise = (np.roll(noise, 1, axis) + 2 * noise + np.roll(noise, -1, axis)) / 4
            layers.append(noise / noise.std())
    return layers


def _image(light: _Floats, layers: list[_Floats], settings: _Floats) -> Pixels:
    """The galaxy with noise; settings are logarithms of factors to what is drawn at first."""
    factors = np.exp(np.clip(settings, -5, 5))
    image = 0.6 * factors[0] * light + 7 * factors[1]
    for place, layer in enumerate(layers):
        image += layer * factors[2 + _BANDS * place : 2 + _BANDS * (place + 1)]
    return np.asarray(image.clip(0, 255).round(), np.uint8)
