"""The interface of the networks that make images from random numbers alone."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from galaxy_edge_train.augmentation import Floats
from galaxy_edge_train.generators.trainable import Trainable


class Generator(Trainable):
    """A generative model of images from one or several sources.

    The source (a survey, a stretch, a framing) is a one-hot condition, so that any number of
    samples of each source can be made.

    Args:
        size: height and width of the images, pixels.
        sources: number of sources.
    """

    #: Default number of passes over the training images. More are not worth their time; this takes
    #: an hour or less for 3,000 images of 64 px on two cores.
    epochs: int

    def __init__(self, size: int, sources: int) -> None:
        super().__init__(size)
        self.sources = sources

    @abstractmethod
    def sample(self, sources: Floats, rng: np.random.Generator) -> Floats:
        """Make images.

        Args:
            sources: float32 [B, sources], one-hot: one row per image.
            rng: decides the samples.

        Returns:
            float32 [B, size, size, 3], approximately -1 to 1.
        """
