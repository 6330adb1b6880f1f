"""The steps from an image of any size to the network's input, as values that JSON can hold."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias, get_args

from galaxy_edge.errors import UsageError

Resize: TypeAlias = Literal["nearest", "bilinear", "lanczos"]
#: How the bands of a FITS image become red, green and blue.
Kind: TypeAlias = Literal["lupton", "asinh", "linear"]
Document: TypeAlias = Mapping[str, Any]

_ALL_BITS = 16
#: Parameters of the stretch that a document leaves out if they have these values. Versions without
#: them refuse files that name them, and must read all others.
_LATER: dict[str, Any] = {"bit_depth": _ALL_BITS, "kind": "lupton", "percentiles": (0.5, 99.5)}


@dataclass(frozen=True, slots=True)
class Stretch:
    """How the bands of a FITS image become red, green and blue.

    By default after Lupton et al. 2004: the intensity I, the mean of the three bands above their
    black levels, is mapped by asinh(q (I - black) / stretch), and the colour is kept (PASP 116,
    133; the parameters are those of `astropy.visualization.make_lupton_rgb`). A single band gives
    grey. The other kinds stretch each channel by itself between two of its percentiles
    (`galaxy_edge.inputs.channels`), for channels that are not colours, such as the stamps of an
    alert.

    Attributes:
        bands: names of the bands that make red, green and blue, as in file names or in a cube's
            BAND0, BAND1, ... keywords; None for a cube's planes in their order.
        minimum: black level, in the units of the pixels; None for each band's own sky (its
            median after sigma clipping).
        stretch: linear range above black, in the units of the pixels; None for
            `galaxy_edge.inputs.stretch.NOISE_STRETCH` times the noise of the sky, so that
            images in any units look alike.
        q: softening; larger values compress the bright parts more.
        bit_depth: bits of 16-bit images that are used, 8 to 16: a camera of 12 bits stores 0 to
            4,095 in them. It does not apply to FITS.
        kind: "lupton"; or "linear" or "asinh" for each channel by itself. ``minimum`` then replaces
            the low percentile, and ``stretch`` is the distance from there to the high level.
        percentiles: of a channel's pixels, that become 0 and 255; for these two kinds only.
    """

    bands: tuple[str, str, str] | None = None
    minimum: float | None = None
    stretch: float | None = None
    q: float = 8.0
    bit_depth: int = _ALL_BITS
    kind: Kind = "lupton"
    percentiles: tuple[float, float] = _LATER["percentiles"]

    def __post_init__(self) -> None:
        check_bands(self.bands)
        if self.minimum is not None and not _is_number(self.minimum):
            raise UsageError(
                f"the black level (minimum) must be a finite number, not {self.minimum!r}"
            )
        if self.stretch is not None and not (_is_number(self.stretch) and self.stretch > 0):
            raise UsageError(f"the stretch must be a positive, finite number, not {self.stretch!r}")
        if not (_is_number(self.q) and self.q > 0):
            raise UsageError(f"the softening (q) must be a positive, finite number, not {self.q!r}")
        if not (_is_int(self.bit_depth) and 8 <= self.bit_depth <= 16):
            raise UsageError(f"the bit depth must be 8 to 16, not {self.bit_depth!r}")
        if self.kind not in get_args(Kind):
            raise UsageError(
                f"the kind of stretch must be one of {', '.join(get_args(Kind))}, not {self.kind!r}"
            )
        _check_percentiles(self.percentiles)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image of any size becomes the network's input.

    Attributes:
        size: height and width of the network's input, pixels.
        resize: filter that brings an image to ``size`` x ``size``; the aspect ratio is not kept
            (Keras's convention). The filters are Pillow's: bilinear and lanczos are antialiased
            when they reduce.
        working_size: an axis longer than this, pixels, is first reduced to it with an antialiased
            Lanczos filter, so that a large cutout is classified at the scale of the training
            images; None to omit this step.
        reducing_gap: to reduce an image faster, blocks of whole pixels are averaged first, to this
            many times the size that is needed or more (Pillow's ``reducing_gap``); at least 1;
            None to omit this step. Of SDSS cutouts reduced from 424 to 64 px, the pixels change
            by 0.4 grey levels (standard deviation) with 3.
        colour: order of the channels; always ``"RGB"``.
        stretch: how FITS images become RGB; other formats are RGB already.
    """

    size: int = 150
    resize: Resize = "nearest"
    working_size: int | None = None
    reducing_gap: float | None = None
    colour: Literal["RGB"] = "RGB"
    stretch: Stretch = field(default_factory=Stretch)

    def __post_init__(self) -> None:
        if not _is_int(self.size) or self.size < 1:
            raise UsageError(f"image size must be a positive whole number, not {self.size!r}")
        if self.resize not in get_args(Resize):
            choices = ", ".join(get_args(Resize))
            raise UsageError(f"resize must be one of {choices}, not {self.resize!r}")
        if self.working_size is not None and (
            not _is_int(self.working_size) or self.working_size < 1
        ):
            raise UsageError(
                f"working size must be a positive whole number or none, not {self.working_size!r}"
            )
        gap = self.reducing_gap
        if gap is not None and not (_is_number(gap) and gap >= 1):
            raise UsageError(f"the reducing gap must be 1 or more, or none, not {gap!r}")
        if self.colour != "RGB":
            raise UsageError(f"colour order must be RGB, not {self.colour!r}")


def check_bands(bands: Sequence[Any] | None) -> None:
    """Refuse anything but three different, non-empty names, for red, green and blue."""
    if bands is not None and (
        isinstance(bands, str)
        or not all(isinstance(band, str) and band and band.strip() == band for band in bands)
        or len(bands) != 3
        or len(set(bands)) != 3
    ):
        raise UsageError(
            "bands must be three different names, for red, green and blue, such as i, r and g; not "
            f"{bands!r}"
        )


def _check_percentiles(given: Any) -> None:
    if (
        not isinstance(given, tuple)
        or len(given) != 2
        or not all(map(_is_number, given))
        or not 0 <= given[0] < given[1] <= 100
    ):
        raise UsageError(
            f"the percentiles must be two growing numbers from 0 to 100, not {given!r}"
        )


def preprocessing_document(preprocessing: Preprocessing) -> dict[str, Any]:
    """Convert preprocessing to values for JSON."""
    document = asdict(preprocessing)
    if (bands := preprocessing.stretch.bands) is not None:
        document["stretch"]["bands"] = list(bands)
    # Versions without these steps refuse files that name them, and must read all others.
    for name, value in _LATER.items():
        if document["stretch"][name] == value:
            del document["stretch"][name]
    if "percentiles" in document["stretch"]:
        document["stretch"]["percentiles"] = list(preprocessing.stretch.percentiles)
    if preprocessing.reducing_gap is None:
        del document["reducing_gap"]
    return document


def preprocessing_from(document: Document) -> Preprocessing:
    """Convert values from JSON to preprocessing; without a stretch (schema 1), use the defaults.

    Raises:
        UsageError: a value is wrong, or this version does not know a step and could not apply it.
    """
    document = {"stretch": asdict(Stretch()), "reducing_gap": None, **document}
    _check_names(document, Preprocessing, "preprocessing steps")
    stretch = document["stretch"]
    if not isinstance(stretch, Mapping):
        raise UsageError(f"the stretch must be named values, not {stretch!r}")
    stretch = {**_LATER, **stretch}
    _check_names(stretch, Stretch, "parameters of the stretch")
    bands = stretch["bands"]
    if bands is not None and not isinstance(bands, list | tuple):
        raise UsageError(f"the bands must be a list of three names, not {bands!r}")
    if not isinstance(stretch["percentiles"], list | tuple):
        _check_percentiles(stretch["percentiles"])
    stretch["bands"] = None if bands is None else tuple(bands)
    stretch["percentiles"] = tuple(stretch["percentiles"])
    return Preprocessing(**{**document, "stretch": Stretch(**stretch)})


def _check_names(document: Document, kind: type[Preprocessing | Stretch], what: str) -> None:
    known = {item.name for item in fields(kind)}
    if document.keys() != known:
        odd = ", ".join(sorted(map(str, document.keys() ^ known)))
        raise UsageError(f"{what} missing or unknown: {odd}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    """Whether a value is a number within the range of a float; a whole number may exceed it."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )
