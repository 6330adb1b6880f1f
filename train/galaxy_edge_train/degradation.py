"""What happens to images on their way to a user, done to both classes alike while training.

A network tells real from synthetic by whatever differs, and the easiest differences are no
astronomy: a survey's compression, its resampling, its noise, its stretch. Whatever is varied here
stops telling the class. Half of the images are left as they are: a network that saw
altered ones alone would misjudge the others.

It happens at the scale at which the model looks at images, ``--working-size``, or, without one, at
the network's own, where small images have been enlarged already. Images should not be smaller than
the working size: in training they are enlarged to it on their way, and later they are not.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from galaxy_edge.inputs import images
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge_train.config import AugmentConfig

_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def undegraded(preprocessing: Preprocessing) -> Preprocessing:
    """The steps up to where images are degraded: before they are enlarged to the network's size."""
    if preprocessing.working_size is None:
        return preprocessing
    return Preprocessing(
        size=preprocessing.working_size,
        resize=preprocessing.resize,
        working_size=preprocessing.working_size,
        stretch=preprocessing.stretch,
    )


def degrade(
    batch: Pixels, config: AugmentConfig, preprocessing: Preprocessing, rng: np.random.Generator
) -> Pixels:
    """Stretch, roughen, resample and compress about half of the images; bring all to their size.

    Args:
        batch: uint8 [N, side, side, 3], as `undegraded` makes them.
        config: how far each step may go.
        preprocessing: of the model.
        rng: the batch's own random numbers.

    Returns:
        uint8 [N, size, size, 3].
    """
    return np.stack(
        [images.fit(Image.fromarray(_degraded(i, config, rng)), preprocessing) for i in batch]
    )


def _degraded(image: Pixels, config: AugmentConfig, rng: np.random.Generator) -> Pixels:
    # All numbers are drawn whatever is switched on: a step leaves the others' draws as they are.
    exponent = np.exp(rng.uniform(-1, 1) * np.log1p(config.restretch))
    deviation = rng.uniform(0, config.noise)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    factor = rng.uniform(1 - config.resample, 1)
    filters = rng.integers(len(_FILTERS), size=2)
    quality = round(rng.uniform(config.jpeg_quality, 100))
    if rng.random() < 0.5:
        return image
    if config.restretch or config.noise:
        levels = 255 * (image / 255.0) ** exponent + deviation * noise
        image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    if config.resample:
        side = max(1, round(factor * len(image)))
        small = Image.fromarray(image).resize((side, side), _FILTERS[filters[0]])
        image = np.asarray(small.resize(image.shape[1::-1], _FILTERS[filters[1]]))
    if config.jpeg_quality < 100:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        image = np.asarray(Image.open(file))
    return image
