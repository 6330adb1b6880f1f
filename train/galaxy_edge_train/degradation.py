"""Random degradation of training images, in the same way for both classes.

A network learns any difference between real and synthetic images. The easiest differences are not
astronomical: the compression, resampling, noise and stretch of a survey. A property that is varied
here no longer reveals the class. Half of the images are left unchanged, because a network
trained only on degraded images would misjudge the others.

Images are degraded at the scale at which the model sees them: at ``--working-size`` or, without
it, at the size of the network's input, to which small images have already been enlarged. Images
should not be smaller than the working size: training would enlarge them to it, prediction does not.
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


def preprocessing_before_degradation(preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing up to the degradation: it ends at the working size, if there is one."""
    if preprocessing.working_size is None:
        return preprocessing
    return Preprocessing(
        size=preprocessing.working_size,
        resize=preprocessing.resize,
        working_size=preprocessing.working_size,
        reducing_gap=preprocessing.reducing_gap,
        stretch=preprocessing.stretch,
    )


def degrade(
    batch: Pixels, config: AugmentConfig, preprocessing: Preprocessing, rng: np.random.Generator
) -> Pixels:
    """Degrade about half of the images, then resize all to the network's input.

    The steps are stretch, gain, sky level and noise; resampling; compression.

    Args:
        batch: uint8 [N, side, side, 3], after the steps of `preprocessing_before_degradation`.
        config: the range of each step.
        preprocessing: the preprocessing of the model.
        rng: the random generator of this batch.

    Returns:
        uint8 [N, size, size, 3].
    """
    return np.stack(
        [images.fit(Image.fromarray(_degraded(i, config, rng)), preprocessing) for i in batch]
    )


def _degraded(image: Pixels, config: AugmentConfig, rng: np.random.Generator) -> Pixels:
    # Draw all numbers even for steps that are off, so that no step changes the draws of another.
    exponent = np.exp(rng.uniform(-1, 1) * np.log1p(config.restretch))
    deviation = rng.uniform(0, config.noise)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    factor = rng.uniform(1 - config.resample, 1)
    filters = rng.integers(len(_FILTERS), size=2)
    quality = round(rng.uniform(config.jpeg_quality, 100))
    if rng.random() < 0.5:
        return image
    # Drawn last, so that runs of earlier versions can be repeated.
    gains = np.exp(rng.uniform(-1, 1, 3 if rng.random() < 0.5 else 1) * np.log1p(config.gain))
    sky = rng.uniform(-config.sky_level / 4, config.sky_level)
    enlarged = round(rng.uniform(1, config.oversample) * len(image))
    if config.restretch or config.gain or config.sky_level or config.noise:
        levels = (image / 255.0) ** exponent * gains
        levels = 255 * (levels * (1 - sky) + sky) + deviation * noise
        image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    if config.resample:
        image = _resized(
            _resized(image, max(1, round(factor * len(image))), filters[0]), len(image), filters[1]
        )
    if config.oversample > 1:
        side = len(image)
        image = _resized(image, enlarged, filters[0])
        image = _resized(_compressed(image, quality), side, filters[1])
    elif config.jpeg_quality < 100:
        image = _compressed(image, quality)
    return image


def _compressed(image: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _resized(image: Pixels, side: int, which: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((side, side), _FILTERS[which]))
