"""The statistics of an image that tell how it was made: noise, sharpness, compression, stretch.

They describe the residuals of four high-pass filters, in the pixels and in means of 2 x 2 pixels. A
residual is clipped at 16 grey levels, so that the noise of the sky counts and a bright star or core
does not. The mean brightness of each band is one more: a photograph has no dark sky. The same sums
in ONNX are in `graph`.

Residual statistics are the field's way to tell cameras and generators apart: Fridrich and Kodovsky
2012 (IEEE TIFS 7, 868). Clipping is their truncation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge_export.typicality.view import Floats

#: Float64 [N, K].
Statistics: TypeAlias = npt.NDArray[np.float64]

_VERTICAL = ((0, -1, 0), (0, 1, 0), (0, 0, 0))
_HORIZONTAL = ((0, 0, 0), (-1, 1, 0), (0, 0, 0))
_LAPLACIAN = ((0, -1, 0), (-1, 4, -1), (0, -1, 0))
_DIAGONAL = ((1, -1, 0), (-1, 1, 0), (0, 0, 0))

#: Pairs of bands whose residuals are correlated.
PAIRS = ((0, 1), (1, 2), (0, 2))
#: A residual counts at most this much, grey levels.
CLIP = 16.0
#: Mean squares below these hardly count, squared grey levels: a band without any residual has a
#: finite spread and no correlation.
FAINT_SPREAD, FAINT_CORRELATION = 0.03, 1e-3
#: The same for a share, and for a mean brightness, grey levels.
FAINT_SHARE, FAINT_LEVEL = 0.1, 1.0
#: Shrinks correlations, so that equal bands have a finite one.
SHRINK = 0.995


@dataclass(frozen=True, slots=True)
class Scale:
    """The filters at one scale.

    Attributes:
        filters: correlated with the image; each has 3 x 3 weights.
        share: whether the share of residuals of a grey level or more is a statistic. It shows
            the steps of a stretch or of a compression, which exist only in single pixels.
    """

    filters: tuple[tuple[tuple[int, ...], ...], ...]
    share: bool

    @property
    def kernels(self) -> Floats:
        """Float32 [F, 3, 3]."""
        return np.array(self.filters, np.float32)


#: The pixels themselves, then the means of 2 x 2 pixels.
SCALES = (
    Scale((_VERTICAL, _HORIZONTAL, _LAPLACIAN, _DIAGONAL), share=True),
    Scale((_LAPLACIAN, _DIAGONAL), share=False),
)
#: Number of statistics.
COUNT = sum(len(scale.filters) * (9 if scale.share else 6) for scale in SCALES) + 3


def statistics(pixels: Floats) -> Statistics:
    """Compute the statistics of images.

    Args:
        pixels: float32 [N, 3, side, side], grey levels, 0 to 255; from `view.View.pixels`.

    Returns:
        Float64 [N, `COUNT`], all finite. First the logarithms of the mean squares of the bands,
        for all scales and filters. Then half the logarithms of the mean square of a pair's sum
        over that of its difference: for bands of equal mean square, this is Fisher's z of their
        correlation. Then the logarithms of the shares, and of the mean brightness of each band.
        All are differences of logarithms of sums.
    """
    spreads: list[npt.NDArray[np.float64]] = []
    correlations: list[npt.NDArray[np.float64]] = []
    shares: list[npt.NDArray[np.float64]] = []
    levels = np.mean(pixels, axis=(2, 3), dtype=np.float64)
    for scale in SCALES:
        for kernel in scale.kernels:
            residual = _residual(pixels, kernel)
            clipped = np.clip(residual, -CLIP, CLIP)
            squares = np.asarray(np.mean(clipped**2, axis=2, dtype=np.float64))
            spreads += _columns(np.log(squares + FAINT_SPREAD))
            for one, other in PAIRS:
                product = np.mean(clipped[:, one] * clipped[:, other], axis=1, dtype=np.float64)
                both = squares[:, one] + squares[:, other] + 2 * FAINT_CORRELATION
                twice = 2 * SHRINK * product
                correlations.append(0.5 * np.log((both + twice) / (both - twice)))
            if scale.share:
                steps = np.clip(residual, -1, 1)
                share = np.asarray(np.mean(steps**2, axis=2, dtype=np.float64))
                shares += _columns(np.log(share + FAINT_SHARE))
        pixels = _halved(pixels)
    brightness = _columns(np.log(levels + FAINT_LEVEL))
    return np.stack([*spreads, *correlations, *shares, *brightness], axis=1)


def _residual(pixels: Floats, kernel: Floats) -> Floats:
    """The inner part of a correlation: float32 [N, 3, P]."""
    inner = pixels.shape[2] - 2
    result = np.zeros((*pixels.shape[:2], inner, inner), np.float32)
    for row, column in np.argwhere(kernel):
        result += kernel[row, column] * pixels[:, :, row : row + inner, column : column + inner]
    return result.reshape(*pixels.shape[:2], -1)


def _halved(pixels: Floats) -> Floats:
    """Means of 2 x 2 pixels; an odd last row or column is left out."""
    side = pixels.shape[2] // 2 * 2
    pixels = pixels[:, :, :side, :side]
    total = pixels[:, :, ::2, ::2] + pixels[:, :, 1::2, ::2]
    total += pixels[:, :, ::2, 1::2] + pixels[:, :, 1::2, 1::2]
    return total * np.float32(0.25)


def _columns(values: npt.NDArray[np.float64]) -> Sequence[npt.NDArray[np.float64]]:
    return [*values.T]
