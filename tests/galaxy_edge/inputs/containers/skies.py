"""Mosaics, their catalogues and their stamps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

from galaxy_edge import ImageError, Source
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing

STEPS = Preprocessing(size=16)
HEIGHT, WIDTH = 90, 120


POSITIONS = [(20.0, 30.0), (60.4, 44.6), (100.9, 70.2), (31.5, 31.5)]


def sky_header(shift: float = 0.0) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (150.0, 2.0), (60.0 + shift, 45.0)
    # Rotated, so that rows and columns cannot be exchanged.
    wcs.wcs.cd = np.array([[-0.8, 0.6], [0.6, 0.8]]) / 7200
    return wcs.to_header()


def sky(seed: int = 0, *shape: int, dtype: type = np.float32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 3, (*shape, HEIGHT, WIDTH))
    for x, y in POSITIONS:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        image += 400 * np.exp(-np.hypot(columns - x, rows - y) / 3)
    return image.astype(dtype)


def catalogue(path: Path, positions: Sequence[tuple[object, object]] = POSITIONS) -> Path:
    lines = [f"{10**18 + n},{x},{y},{n / 4}" for n, (x, y) in enumerate(positions)]
    path.write_text("\n".join(["id,x,y,mag", *lines]) + "\n")
    return path


def read(path: object, table: Path, size: int = 16, **options) -> list[Source]:
    bands = options.pop("bands", None)
    path = path if isinstance(path, tuple) else str(path)
    return list(members(path, Layout(catalogue=table, size=size, **options), bands))


def pixels(source: Source, steps: Preprocessing = STEPS) -> np.ndarray | ImageError:
    return decoded(source, steps).pixels


def cut(folder: Path, image: np.ndarray, x: float, y: float, size: int = 16) -> np.ndarray:
    """The verdict's pixels of a FITS file that astropy cut."""
    planes = [Cutout2D(one, (x, y), size, mode="strict").data for one in np.atleast_3d(image.T).T]
    fits.writeto(folder / "cut.fits", np.squeeze(planes), overwrite=True)
    return pixels(Source(folder / "cut.fits"))
