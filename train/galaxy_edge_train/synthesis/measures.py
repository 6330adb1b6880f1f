"""Measures by which astronomers compare real and synthetic galaxies, taken on images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from galaxy_edge.inputs.images import Pixels

Numbers = npt.NDArray[np.float64]

#: The concentration compares the radii that hold these shares of the light (Bershady, Jangren &
#: Conselice 2000, AJ 119, 2645).
_INNER, _OUTER = 0.2, 0.8


def luminance(images: Pixels) -> Numbers:
    """Mean of the three channels.

    Args:
        images: uint8 [N, size, size, 3].

    Returns:
        float64 [N, size, size], 0 to 1.
    """
    return np.asarray(images.mean(axis=-1) / 255, dtype=np.float64)


def power_spectra(light: Numbers) -> Numbers:
    """Azimuthally averaged power spectra.

    A Hann window hides the edges of the frame: an image does not continue at the opposite edge, and
    this jump would add power at all frequencies.

    Args:
        light: [N, size, size].

    Returns:
        [N, size // 2 - 1]: the mean power at spatial frequencies of 1 to 2, 2 to 3, ... cycles per
        image, after subtracting the mean light; in units of ``light`` squared.
    """
    size = light.shape[1]
    window = np.hanning(size)
    flat = light - light.mean(axis=(1, 2), keepdims=True)
    transformed = np.fft.fft2(flat * np.outer(window, window))
    power = np.fft.fftshift(np.abs(transformed) ** 2, axes=(1, 2)) / size**2
    return _rings(power, size // 2, size // 2 - 1, first=1)


def radial_profiles(light: Numbers) -> Numbers:
    """Mean light at each radius from the centre of the frame, where a cutout has its galaxy.

    Args:
        light: [N, size, size].

    Returns:
        [N, size // 2]: at radii of 0 to 1, 1 to 2, ... pixels.
    """
    size = light.shape[1]
    return _rings(light, (size - 1) / 2, size // 2, first=0)


def colours(images: Pixels) -> Numbers:
    """Colours of each image in magnitudes: red minus green, and green minus blue.

    Args:
        images: uint8 [N, size, size, 3].

    Returns:
        [N, 2], from the light above the sky (the median of each channel along the edge of the
        frame). These are colours as displayed: a stretched image is not linear in flux.
    """
    flux = np.maximum(_above_sky(images / 255.0).sum(axis=(1, 2)), 1e-3)
    return np.asarray(-2.5 * np.log10(flux[:, :2] / flux[:, 1:]), dtype=np.float64)


def concentrations(light: Numbers) -> Numbers:
    """How concentrated the light of each galaxy is.

    Args:
        light: [N, size, size].

    Returns:
        [N]: C = 5 log10(r80 / r20), where r80 and r20 are the radii from the centre of the frame
        that hold 80 and 20 per cent of the light above the sky; NaN for an image with no light
        above the sky.
    """
    size = light.shape[1]
    above = _above_sky(light[..., None])[..., 0]
    radius = _radius(size, (size - 1) / 2).ravel()
    order = np.argsort(radius, kind="stable")
    growth = np.cumsum(above.reshape(len(light), -1)[:, order], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = growth / growth[:, -1:]
    inner, outer = (radius[order][np.argmax(growth >= share, axis=1)] for share in (_INNER, _OUTER))
    found = np.isfinite(growth[:, -1])
    return np.asarray(np.where(found, 5 * np.log10(outer / inner), np.nan), dtype=np.float64)


def _above_sky(images: Numbers) -> Numbers:
    """Light above the median of the outermost pixels of the frame; negative values become 0."""
    edge = np.concatenate(
        [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1
    )
    above = np.maximum(images - np.median(edge, axis=1)[:, None, None], 0)
    return np.asarray(above, dtype=np.float64)


def _rings(images: Numbers, centre: float, rings: int, *, first: int) -> Numbers:
    ring = np.floor(_radius(images.shape[1], centre)).astype(int).ravel()
    flat = images.reshape(len(images), -1)
    return np.stack(
        [flat[:, ring == radius].mean(axis=1) for radius in range(first, first + rings)], axis=1
    )


def _radius(size: int, centre: float) -> Numbers:
    y, x = np.indices((size, size))
    return np.asarray(np.hypot(y - centre, x - centre), dtype=np.float64)
