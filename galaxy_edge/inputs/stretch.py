"""Stretch one or three bands to uint8 RGB after Lupton et al. 2004, with astropy."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
from astropy.stats import sigma_clipped_stats
from astropy.visualization import make_lupton_rgb

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.preprocessing import Stretch

#: The automatic stretch is this many times the noise of the sky: faint outskirts show, and the sky
#: stays dark. Chosen by eye on SDSS frames, where it is about 0.1 to 0.2 nanomaggies.
NOISE_STRETCH = 10.0
#: Sigma clipping changes the warning filters of the process for a moment. If two threads did so at
#: once, the last one to finish would restore the changed filters.
_clipping = threading.Lock()


def colour(bands: npt.NDArray[np.generic], stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Stretch one or three bands to RGB.

    Args:
        bands: [1 or 3, H, W] of any real dtype, red, green, blue; the lowest row first, as in
            FITS. Masked, NaN and infinite pixels become sky.
        stretch: black level, range and softening; values that are None are measured.

    Returns:
        uint8 (H, W, 3), the upper row first.

    Raises:
        ImageError: a band has no valid pixel.
    """
    values = np.ma.filled(np.ma.asarray(bands).astype(np.float32), np.nan)
    black, noise = [], []
    for band in values:
        valid = np.isfinite(band)
        if not valid.any():
            raise ImageError("no pixel has a value: all are blank, NaN or infinite")
        # In double precision, because single precision is too coarse for the sums of a large frame.
        with _clipping:
            _, median, deviation = sigma_clipped_stats(band[valid].astype(np.float64))
        black.append(float(median) if stretch.minimum is None else stretch.minimum)
        noise.append(float(deviation))
        band[~valid] = black[-1]
    # In an image without noise (drawn, or constant), the brightest pixel sets the scale.
    brightest = max(float(values.max()) - min(black), 0.0)
    reach = NOISE_STRETCH * float(np.mean(noise)) or brightest or 1.0
    # Astropy divides by the intensity before it checks where the intensity is zero.
    with np.errstate(all="ignore"):
        image = make_lupton_rgb(
            *np.broadcast_to(values, (3, *values.shape[1:])),
            minimum=black if len(black) == 3 else black * 3,
            stretch=reach if stretch.stretch is None else stretch.stretch,
            Q=stretch.q,
        )
    return np.ascontiguousarray(image[::-1])
