"""Choose the planes of a FITS cube that make a picture, by what its header says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError

Header = Mapping[str, Any]
Cube = npt.NDArray[Any]

#: Filters from blue to red; in this order their wavelengths grow.
_FILTERS = (
    "fuv", "nuv", "u", "b", "g", "v", "r", "i", "z", "y", "j", "h", "k", "ks", "w1", "w2", "w3",
    "w4",
)  # fmt: skip
#: The first letters of CTYPE for axes along which planes are not colours: spectra (FITS paper III
#: and the older VELO and FELO), time, position and parts of complex numbers.
_NOT_COLOUR = (
    "FREQ", "ENER", "WAVN", "VRAD", "WAVE", "VOPT", "ZOPT", "AWAV", "VELO", "BETA", "FELO", "TIME",
    "UTC", "TAI", "MJD", "COMPLEX", "RA--", "DEC-", "GLON", "GLAT",
)  # fmt: skip
#: Units of a third axis without CTYPE that say the same.
_NOT_COLOUR_UNITS = frozenset({"hz", "khz", "mhz", "ghz", "m/s", "km/s", "m s-1", "km s-1", "s"})
#: Lengths of a last axis that must be colours: no image is so narrow.
_NARROW = 4


def planes(
    data: Cube, header: Header, bands: tuple[str, str, str] | None, notes: list[str]
) -> Cube:
    """Choose the planes.

    - Axes of one pixel do not count. An image of two axes is grey.
    - With BAND0, BAND1, ... (or from BAND1) in the header, ``bands`` names the planes. Without
      ``bands``, three planes with known filters give red to the longest wavelength.
    - Of the Stokes parameters, the plane I is taken, as grey.
    - Any other three planes are red, green and blue, unless the header says that they lie along
      a spectrum, time or a coordinate.

    Args:
        data: [..., H, W], as in the file.
        header: its keywords.
        bands: names of the planes for red, green and blue, or None.
        notes: sentences for the user are added to it.

    Returns:
        [1 or 3, H, W].

    Raises:
        ImageError: the planes cannot be taken as grey or as colours.
    """
    # FITS counts the axes from the last one of the array.
    axes = [(data.ndim - place, n) for place, n in enumerate(data.shape[:-2]) if n > 1]
    shape = " x ".join(map(str, data.shape))
    cube = data.reshape([n for _, n in axes] + [*data.shape[-2:]])
    if not axes:
        return cube[None]
    if cube.shape[-1] <= _NARROW < min(cube.shape[:-1]):
        raise ImageError(
            f"not an image: in {shape} the last axis has only {cube.shape[-1]} pixels, as if it "
            "were the colours; write the planes first, with numpy.moveaxis(data, -1, 0)"
        )
    for place, (axis, _) in enumerate(axes):
        if _text(header, f"CTYPE{axis}").startswith("STOKES"):
            cube = np.take(cube, _intensity(header, axis, cube.shape[place]), axis=place)
            notes.append("its planes are Stokes parameters; I is read, as grey")
            del axes[place]
            break
    if not axes:
        return cube[None]
    if len(axes) > 1:
        raise ImageError(
            f"not an image of one or three bands: its shape is {shape}; cut one image, or one "
            "cube of three bands, from it first"
        )
    axis, length = axes[0]
    names = _band_names(header, length)
    if bands is not None and any(names):
        return cube[[_plane(names, band) for band in bands]]
    if length == 3 and any(names):
        return cube[_by_wavelength(names, notes)]
    if (why := _not_colour(header, axis)) is not None:
        raise ImageError(
            f"not an image of one or three bands: {why}, so its {length} planes are not colours; "
            "cut one plane from it, or add the keywords BAND0, BAND1, ... with the filters"
        )
    if length != 3 and all(names):
        raise ImageError(
            f"it has the bands {', '.join(names)}; choose three of them for red, green and blue "
            "(--bands)"
        )
    if length != 3:
        raise ImageError(
            f"not an image of one or three bands: its shape is {shape}; a cube of {length} bands "
            "needs BAND0, BAND1, ... in its header and --bands"
        )
    return cube


def _band_names(header: Header, planes: int) -> list[str]:
    first = 0 if "BAND0" in header else 1
    return [str(header.get(f"BAND{first + number}", "")).strip() for number in range(planes)]


def _plane(names: list[str], band: str) -> int:
    if band not in names:
        raise ImageError(f"the cube has no band {band}; it has {', '.join(filter(None, names))}")
    if names.count(band) > 1:
        raise ImageError(f"the cube has several bands {band}: {', '.join(names)}")
    return names.index(band)


def _by_wavelength(names: list[str], notes: list[str]) -> list[int]:
    """The places of the red, green and blue planes."""
    places = [_wavelength(name) for name in names]
    listed = ", ".join(name or "(no name)" for name in names)
    if None in places or len(set(places)) < len(places):
        notes.append(
            f"the order in wavelength of its bands {listed} is not known; they are read as red, "
            "green and blue in this order. --bands sets another"
        )
        return [*range(len(names))]
    order = sorted(range(len(names)), key=lambda place: -(places[place] or 0))
    if order != [*range(len(names))]:
        chosen = ", ".join(names[place] for place in order)
        notes.append(f"its bands {listed} are read as red, green and blue in the order {chosen}")
    return order


def _wavelength(name: str) -> int | None:
    """The place of a filter from blue to red: ``g``, ``SDSS-g``, ``DECam g``, ``g'``."""
    word = re.split(r"[\s._/:-]+", name.strip().rstrip("'"))[-1].lower()
    return _FILTERS.index(word) if word in _FILTERS else None


def _intensity(header: Header, axis: int, planes: int) -> int:
    """The place of Stokes I, whose coordinate is 1."""
    value, step = _number(header, f"CRVAL{axis}", 1.0), _number(header, f"CDELT{axis}", 1.0)
    reference = _number(header, f"CRPIX{axis}", 1.0)
    for place in range(planes):
        if abs(value + (place + 1 - reference) * step - 1) < 0.01:
            return place
    raise ImageError(
        "not an image of one or three bands: its planes are Stokes parameters without I, the "
        "total intensity"
    )


def _not_colour(header: Header, axis: int) -> str | None:
    kind, unit = _text(header, f"CTYPE{axis}"), str(header.get(f"CUNIT{axis}", "")).strip()
    if f"{kind}--".startswith(_NOT_COLOUR):
        return f"CTYPE{axis} is {kind}"
    if not kind and unit.lower() in _NOT_COLOUR_UNITS:
        return f"CUNIT{axis} is {unit}"
    return None


def _text(header: Header, key: str) -> str:
    return str(header.get(key, "")).strip().upper()


def _number(header: Header, key: str, default: float) -> float:
    value = header.get(key, default)
    return float(value) if isinstance(value, int | float) else default
