"""Positions in a mosaic, from the rows of a catalogue."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs import tables
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.locks import fork_safe_lock

#: float64 [N, 2]: x and y, pixels; NaN for a position that is no number or is not on the image.
Places: TypeAlias = npt.NDArray[np.float64]

#: The warning filters belong to the process. If two threads changed them at once, the last to
#: finish would restore the changed ones.
_warning_filters = fork_safe_lock()
#: Names of pairs of columns, in capitals, in the order in which they are looked for.
_SKY = (
    ("RA", "DEC"), ("RA_DEG", "DEC_DEG"), ("RAJ2000", "DEJ2000"), ("RAJ2000", "DECJ2000"),
    ("ALPHA_J2000", "DELTA_J2000"), ("RAMEAN", "DECMEAN"), ("RIGHT_ASCENSION", "DECLINATION"),
)  # fmt: skip
_PIXEL = (("X", "Y"), ("XCENTROID", "YCENTROID"), ("X_IMAGE", "Y_IMAGE"))
#: SExtractor counts pixels from 1, as FITS does; everybody in Python from 0.
_FROM_ONE = ("X_IMAGE", "Y_IMAGE")
_ID = "ID"
#: Rows whose positions are converted at once.
_ROWS = 1000
#: Of a position in pixels.
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Chosen:
    """The columns of a catalogue that are used.

    Attributes:
        position: the two columns with the positions.
        on_sky: whether they are on the sky, in degrees; otherwise in pixels.
        id: the column with the identifiers; None if there is none.
    """

    position: tuple[str, str]
    on_sky: bool
    id: str | None


class Catalogue:
    """The rows of a catalogue, which may be read more than once.

    Args:
        layout: names the file and perhaps its columns.

    Raises:
        UsageError: the file cannot be read, or has no such columns.
    """

    def __init__(self, layout: Layout) -> None:
        assert layout.catalogue is not None  # noqa: S101 - the caller has checked
        self._path = layout.catalogue
        self._layout = layout
        try:
            names = self._names()
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}") from error
        self.columns = self._choose(names)

    def blocks(self) -> Iterator[list[dict[str, Any]]]:
        """The rows, some at a time."""
        used = (*self.columns.position, *self._layout.columns)
        if self.columns.id is not None:
            used = (*used, self.columns.id)
        rows = tables.values(self._path, lambda names: tuple(dict.fromkeys(used)))
        while block := list(islice(rows, _ROWS)):
            yield block

    def places(self, rows: Sequence[dict[str, Any]], wcs: WCS | None) -> Places:
        """Where the rows lie in an image.

        Args:
            rows: some rows.
            wcs: the sky coordinates of the image; None if it has none.

        Raises:
            ImageError: the positions are on the sky, and the image has no coordinates.
        """
        pairs = [[_number(row[name]) for name in self.columns.position] for row in rows]
        values = np.array(pairs, np.float64).reshape(-1, 2)
        if not self.columns.on_sky:
            first = self.columns.position[0].upper(), self.columns.position[1].upper()
            return values - (first == _FROM_ONE)
        if wcs is None:
            raise ImageError(
                "it has no sky coordinates (WCS) for the positions in the catalogue; name columns "
                "with pixels (--pixel-columns)"
            )
        return _on_image(values, wcs)

    def _names(self) -> list[str]:
        found: list[str] = []

        def note(names: Sequence[str]) -> Sequence[str]:
            found[:] = names
            return names

        next(tables.values(self._path, note), None)
        return found

    def _choose(self, names: Sequence[str]) -> Chosen:
        layout = self._layout
        upper = {name.upper(): name for name in reversed(names)}
        key = layout.id_column or upper.get(_ID)
        given = layout.sky_columns or layout.pixel_columns
        for name in (*layout.columns, *(given or ())):
            if name not in names:
                raise UsageError(f"{self._path} has no column {name}; it has {', '.join(names)}")
        if given is not None:
            return Chosen(given, layout.sky_columns is not None, key)
        for pairs, on_sky in ((_SKY, True), (_PIXEL, False)):
            for first, second in pairs:
                if first in upper and second in upper:
                    return Chosen((upper[first], upper[second]), on_sky, key)
        raise UsageError(
            f"{self._path} has no columns with positions by these names: ra and dec, x and y; name "
            f"them with --sky-columns or --pixel-columns. It has {', '.join(names)}"
        )


def coordinates(header: Any) -> WCS | None:
    """The sky coordinates of an image; None if its header has none.

    Raises:
        ImageError: the keywords contradict each other.
    """
    try:
        # `WCS` would warn of every keyword that it corrects.
        wcs = WCS(header, fix=False)
        wcs.wcs.fix()
        celestial = wcs.celestial if wcs.has_celestial else None
    # wcslib and astropy raise nearly anything for wrong keywords.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ImageError(f"damaged: its sky coordinates (WCS) are wrong: {reason}") from error
    return celestial


def _on_image(values: Places, wcs: WCS) -> Places:
    """Right ascension and declination, degrees, as pixels."""
    places = np.full_like(values, np.nan)
    good = np.isfinite(values).all(axis=1) & (np.abs(values[:, 1]) <= 90)
    if good.any():
        sky = SkyCoord(*values[good].T, unit=units.deg, frame="icrs")
        # Positions far from the image may not converge, which is only a warning.
        with _warning_filters, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            places[good] = np.transpose(wcs.world_to_pixel(sky))
    # The last digits of a projection must not move a stamp by a pixel.
    return np.round(places, _DECIMALS)


def _number(value: Any) -> float:
    """A coordinate; NaN for text, such as 12:30:49."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan
