"""Which layouts of TIFF are decoded, and by whom.

Pillow reads most layouts correctly, some wrongly, and others not at all.
`tests/galaxy_edge/inputs/test_tiff.py` compares random layouts.
"""

from __future__ import annotations

from collections.abc import Iterator

from galaxy_edge.inputs.tiff_layout import (
    ASSOCIATED,
    BLACK_IS_0,
    CMYK,
    DEFLATE,
    JPEG,
    LAB,
    OLD_JPEG,
    PALETTE,
    RAW,
    RGB,
    UNNAMED,
    WHITE_IS_0,
    YCBCR,
    Layout,
)

_COMPRESSIONS = {
    1: "none", 2: "CCITT RLE", 3: "CCITT T.4", 4: "CCITT T.6", 5: "LZW", 6: "old JPEG", 7: "JPEG",
    8: "deflate", 32773: "PackBits", 32946: "deflate", 34925: "LZMA", 50000: "Zstandard",
    50001: "WebP",
}  # fmt: skip
_UNSUPPORTED_COMPRESSIONS = {
    33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC",
    34892: "lossy JPEG of DNG", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_COLOURS = {
    -1: "unnamed", 0: "grey, white is 0", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK",
    6: "YCbCr", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "those of a camera's filters",
    32844: "LogL", 32845: "LogLuv", 34892: "those of a camera",
}  # fmt: skip
_FORMATS = {2: "signed", 3: "floating-point", 4: "undefined", 5: "complex", 6: "complex"}
#: Numbers of samples that make the colours.
_COUNTS = {
    WHITE_IS_0: {1}, BLACK_IS_0: {1}, RGB: {3}, PALETTE: {1}, CMYK: {4}, YCBCR: {1, 3}, LAB: {3},
}  # fmt: skip
_GREY = (WHITE_IS_0, BLACK_IS_0)
#: RGB with alpha and four samples that are not used; the memory for decoding grows with them.
_MOST_SAMPLES = 8


def unsupported(layout: Layout) -> str | None:
    """Why a layout cannot be decoded correctly, and what to do; None if it can be."""
    for wrong, reason in _reasons(layout):
        if wrong:
            return reason
    return _misread(layout) if not _simple(layout) else None


def is_ours(layout: Layout) -> bool:
    """Whether `galaxy_edge.inputs.tiff` decodes a supported layout, because Pillow would not."""
    return _simple(layout) and _misread(layout) is not None


def described(layout: Layout) -> str:
    """The layout in a few words, for a message."""
    bits = "/".join(map(str, sorted(set(layout.bits))))
    planes = ", in planes" if layout.planar else ""
    return (
        f"a TIFF of {layout.samples} x {bits} bits ({_colour(layout)}{planes}; compression: "
        f"{_COMPRESSIONS.get(layout.compression, layout.compression)})"
    )


def _colour(layout: Layout) -> str:
    return _COLOURS.get(layout.colour, f"of number {layout.colour} (PhotometricInterpretation)")


def _reasons(layout: Layout) -> Iterator[tuple[bool, str]]:
    """Faults that neither Pillow nor we can handle, the most basic first."""
    samples, bits, colour, extra = layout.samples, layout.bits, layout.colour, layout.extra
    number = layout.compression
    name = _UNSUPPORTED_COMPRESSIONS.get(number, f"of number {number}")
    yield (
        number not in _COMPRESSIONS,
        f"a TIFF with compression {name}; save it without compression or with deflate",
    )
    yield (
        not 1 <= samples <= _MOST_SAMPLES,
        f"a TIFF of {samples} samples per pixel; save it as RGB or grey",
    )
    yield (
        len(bits) != samples or len(set(bits)) > 1,
        f"a TIFF of {samples} samples with {', '.join(map(str, bits))} bits; save it with 8 bits",
    )
    kinds = [_FORMATS.get(number, "unknown") + " " for number in layout.formats if number != 1]
    kind = f"{bits[0]}-bit {''.join(kinds[:1])}samples"
    yield (
        bool(kinds) or bits[0] > 16,
        f"a TIFF of {kind}, which have no agreed range; stretch it to 8 bits first",
    )
    yield (
        layout.compression == JPEG and bits[0] != 8,
        f"a TIFF with JPEG compression of {bits[0]} bits; save it with 8 bits",
    )
    yield (
        colour == UNNAMED and layout.compression != OLD_JPEG,
        "a TIFF that does not say what its colours are (PhotometricInterpretation); save it again",
    )
    yield (
        colour not in _COUNTS and colour != UNNAMED,
        f"a TIFF whose colours are {_colour(layout)}; save it as RGB or grey",
    )
    # A fourth sample after RGB, of a kind that is not named, is alpha for Pillow and others.
    unnamed_alpha = colour == RGB and samples == 4 and not extra
    yield (
        samples - len(extra) not in _COUNTS.get(colour, {samples}) and not unnamed_alpha,
        f"a TIFF of {samples} samples that does not say what each one is; save it as RGB",
    )
    yield (
        colour in _GREY and samples > 2,
        f"a TIFF of {samples} samples whose first is grey; save it as RGB or grey",
    )
    yield (
        any(extra[1:]) or (any(extra) and colour in (WHITE_IS_0, CMYK)),
        "a TIFF with an unusual alpha channel; save it as RGB",
    )
    yield (not layout.plain_inks and colour == CMYK, "a TIFF of inks; save it as RGB")
    yield (
        not layout.plain_ycbcr and colour == YCBCR and layout.compression == RAW,
        "a TIFF of subsampled or scaled YCbCr without compression; save it as RGB",
    )
    yield (
        layout.predictor != 1 and layout.compression == RAW,
        "a TIFF with a predictor and no compression; save it again",
    )
    yield (layout.depth != 1, "a TIFF of a volume; save each of its planes as an image")


def _simple(layout: Layout) -> bool:
    """Whether a few lines suffice to decode it: Python has the compression."""
    return (
        (layout.compression == RAW or layout.compression in DEFLATE)
        and layout.bits[0] in (8, 16)
        and layout.colour in (WHITE_IS_0, BLACK_IS_0, RGB, CMYK)
        and layout.predictor in (1, 2)
        and not layout.bits_reversed
    )


def _misread(layout: Layout) -> str | None:
    """What Pillow reads wrongly, or not at all; None if it is right."""
    colour, bits = layout.colour, layout.bits
    if colour == WHITE_IS_0 and bits[0] > 8:
        return f"a {bits[0]}-bit TIFF with white as 0; save it with black as 0"
    if colour in _GREY and layout.extra:
        if layout.planar:
            wrong = layout.compression == RAW or any(layout.extra)
        else:
            wrong = bits[0] > 8 or colour == WHITE_IS_0 or ASSOCIATED in layout.extra
        return "a grey TIFF with two samples; save it as RGB, or with deflate" if wrong else None
    if not layout.planar:
        return None
    # Pillow gives each raw plane one letter of its name for the layout: these have only one.
    one_letter = not layout.bits_reversed and (colour, bits) in (
        (PALETTE, (8,)), (BLACK_IS_0, (1,)),
    )  # fmt: skip
    raw = layout.compression == RAW and not one_letter
    mixed = any(layout.extra) and len(layout.extra) > 1
    if raw or mixed or (layout.samples > 1 and colour not in (*_GREY, RGB, CMYK)):
        return f"{described(layout)}; save it without planes (PlanarConfiguration 1)"
    return None
