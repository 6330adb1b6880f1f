"""What is usual on the training images of a model: what the graph computes, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from galaxy_edge.decision import decimals
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export.typicality.gaussians import Familiar
from galaxy_edge_export.typicality.statistics import Statistics, statistics
from galaxy_edge_export.typicality.view import View

#: Images whose statistics are computed at once.
_AT_ONCE = 64


def seen_statistics(view: View, images: Pixels) -> Statistics:
    """The statistics of images.

    Args:
        view: the pixels that count.
        images: uint8 [N, size, size, 3]; N at least 1.

    Returns:
        Float64 [N, K].
    """
    parts = [
        statistics(view.pixels(images[start : start + _AT_ONCE]))
        for start in range(0, len(images), _AT_ONCE)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class OpenClass:
    """The open-ended one of two classes, such as fakes: there are always other kinds of it.

    Attributes:
        label: index of the class, 0 or 1.
        familiar: what is usual in its training images.
        threshold: of the decision; a score above it gives class 1.
    """

    label: int
    familiar: Familiar
    threshold: float

    @property
    def largest_below(self) -> np.float32:
        """The largest float32 score that is not above the threshold, as rows compare it."""
        nearest = np.float32(self.threshold)
        above = decimals(np.array([nearest]))[0] > self.threshold
        return np.nextafter(nearest, np.float32(-1)) if above else nearest


@dataclass(frozen=True, slots=True)
class Description:
    """What is usual.

    Attributes:
        view: the pixels of an image that count.
        familiar: what is usual in the training images; with an open class, in those of the other.
        open_class: None if both classes are closed, or if there are three or more.
    """

    view: View
    familiar: Familiar
    open_class: OpenClass | None = None

    def typicality(
        self, images: Pixels, positive: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float64]:
        """The typicality of images.

        With an open class, it is that of the closed class; but where the network calls an image
        the open class, the larger one of the two.

        Args:
            images: uint8 [N, size, size, 3].
            positive: [N], the scores of two classes; unused without an open class.

        Returns:
            Float64 [N], 0 to 1.
        """
        found = seen_statistics(self.view, images)
        typicality = self.familiar.typicality(found)
        if self.open_class is None:
            return typicality
        called = positive.astype(np.float32) > self.open_class.largest_below
        either = np.maximum(typicality, self.open_class.familiar.typicality(found))
        return np.where(called == bool(self.open_class.label), either, typicality)
