"""Bands to RGB after Lupton et al. 2004 (PASP 116, 133).

The pixels are those of `astropy.visualization.make_lupton_rgb` to the bit. One band is computed
once and not three times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: The slope of the stretch is set at this fraction of its linear range; astropy's.
_FRACTION = 0.1
#: Softenings below and above these are replaced, as in astropy.
_SMALLEST, _INSTEAD, _LARGEST = 1.0 / 2**23, 0.1, 1e10


def lupton(
    bands: npt.NDArray[np.float32], black: list[float], stretch: float, softening: float
) -> npt.NDArray[np.uint8]:
    """Stretch one or three bands to RGB.

    Args:
        bands: [1 or 3, H, W], finite.
        black: black level of each band.
        stretch: linear range, above 0.
        softening: Q.

    Returns:
        uint8 (H, W, 3), in the order of the rows.
    """
    softening = _INSTEAD if softening < _SMALLEST else min(softening, _LARGEST)
    image = np.stack([band - level for band, level in zip(bands, black, strict=True)])
    red, green, blue = np.broadcast_to(image, (3, *image.shape[1:]))
    # The order of the sums matters to the last bit.
    intensity = (red + green + blue) / 3.0
    # Intensities may be zero, and pixels out of the range infinite.
    with np.errstate(all="ignore"):
        stretched = np.arcsinh(intensity * (softening / stretch))
        slope = _FRACTION / np.arcsinh(_FRACTION * softening)
        np.multiply(stretched, slope, out=stretched)
        image *= np.where(intensity <= 0, 0, stretched / intensity)
        np.maximum(image, 0, out=image)
        brightest = image.max(axis=0)
        image = np.where(brightest > 1, image / brightest, image)
        eight_bits = (image * 255.0).astype(np.uint8)
    return np.ascontiguousarray(
        np.broadcast_to(np.moveaxis(eight_bits, 0, 2), (*brightest.shape, 3))
    )
