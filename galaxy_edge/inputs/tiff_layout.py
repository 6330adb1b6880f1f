"""How the pixels of a TIFF are laid out: the tags of its first picture."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeAlias

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.limits import check_size

Tags: TypeAlias = Mapping[int, Any]

#: PhotometricInterpretation.
UNNAMED, WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, CMYK, YCBCR, LAB = -1, 0, 1, 2, 3, 5, 6, 8
#: Compression.
RAW, OLD_JPEG, JPEG = 1, 6, 7
DEFLATE = frozenset({8, 32946})
#: Kinds of extra samples; Corel has its own number for alpha.
ASSOCIATED, UNASSOCIATED, COREL_ALPHA = 1, 2, 999

_UNTIL_THE_END = 2**32 - 1
#: The tags that `layout_of` reads.
_USED = frozenset({
    256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 332, 338, 339,
    530, 532, 32997,
})  # fmt: skip
_MOST_TAGS = 65_535


@dataclass(frozen=True, slots=True)
class Layout:
    """The pixels of one picture in a TIFF.

    Attributes:
        order: byte order.
        size: width and height, pixels.
        colour: PhotometricInterpretation, `UNNAMED` if it is missing.
        samples: samples per pixel.
        bits: bits of each sample.
        formats: SampleFormat of each sample, or one for all; 1 is unsigned.
        extra: kinds of the samples after the colours.
        planar: the tag says that each sample has a plane of its own; also set for one sample.
        compression: number of the compression.
        predictor: 1 for none; 2 if rows hold the differences between neighbours.
        bits_reversed: the lowest bit of a byte comes first.
        plain_inks: the inks of CMYK are CMYK.
        plain_ycbcr: YCbCr is neither subsampled nor scaled.
        depth: planes of a volume; 1 for an image.
        block: width and height of a strip or tile, pixels.
        tiled: blocks are tiles, which are whole at the right and lower edge too.
        offsets: first byte of each block.
        counts: bytes of each block; empty if the file does not say.
    """

    order: Literal["<", ">"]
    size: tuple[int, int]
    colour: int
    samples: int
    bits: tuple[int, ...]
    formats: tuple[int, ...]
    extra: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    bits_reversed: bool
    plain_inks: bool
    plain_ycbcr: bool
    depth: int
    block: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def blocks(self) -> tuple[int, int]:
        """Numbers of blocks next to and below each other, in one plane."""
        return -(-self.size[0] // self.block[0]), -(-self.size[1] // self.block[1])

    @property
    def complete(self) -> bool:
        """Whether the file has all strips or tiles of the picture."""
        across, down = self.blocks
        needed = across * down * (self.samples if self.planar else 1)
        return len(self.offsets) >= needed and all(self.offsets[:needed])


def tags_of(file: BinaryIO) -> Tags:
    """The tags of the first picture, as Pillow reads them.

    Raises:
        ImageError: a tag is missing that the file names, so that Pillow would take the default;
            or Pillow does not know the kind of file.
    """
    header = file.read(8)
    if header[:4] == b"MM\0+":
        raise ImageError(
            "not supported: a BigTIFF with the highest byte first (MM); save it with the lowest "
            "first (II), or as plain TIFF"
        )
    if big := header[2:3] == b"+":
        header += file.read(8)
    try:
        tags = ImageFileDirectory_v2(header)
        place = tags.next
        file.seek(place)
        tags.load(file)
        file.seek(place)
        order = "<" if header[:1] == b"I" else ">"
        count, entry = (order + "Q", order + "H18x") if big else (order + "H", order + "H10x")
        (entries,) = struct.unpack(count, file.read(struct.calcsize(count)))
        content = file.read(min(entries, _MOST_TAGS) * struct.calcsize(entry))
        named = {tag for (tag,) in struct.iter_unpack(entry, content)}
    except Exception as error:  # Pillow raises nearly anything for damaged data
        raise ImageError(f"damaged or truncated: the tags of a TIFF: {error}") from error
    if len(content) != entries * struct.calcsize(entry):
        raise ImageError("damaged or truncated: the tags of a TIFF end too soon")
    if lost := sorted((named & _USED) - set(tags)):
        raise ImageError(f"damaged or truncated: tag {lost[0]} of a TIFF cannot be read")
    return tags


def layout_of(tags: Tags, order: Literal["<", ">"] = "<") -> Layout:
    """Read the tags that describe the pixels.

    Args:
        tags: of one picture.
        order: byte order.

    Raises:
        ImageError: a tag is missing or damaged, or the picture is too large.
    """
    size = (_one(tags, 256), _one(tags, 257))
    check_size(*size)
    compression = _one(tags, 259, 1)
    colour = _one(tags, 262, UNNAMED)
    samples = _one(tags, 277, 3 if compression == JPEG and colour in (RGB, YCBCR) else 1)
    bits = _many(tags, 258, (1,))
    if len(bits) == 1 and 1 < samples <= 16:
        bits *= samples
    tiled = 324 in tags and 273 not in tags
    if tiled:
        block = (_one(tags, 322, 0), _one(tags, 323, 0))
        check_size(*block)
    else:
        block = (size[0], min(_one(tags, 278, _UNTIL_THE_END), size[1]))
    if min(block) < 1:
        raise ImageError(f"damaged or truncated: strips or tiles of {block[0]} x {block[1]} pixels")
    return Layout(
        order=order,
        size=size,
        colour=colour,
        samples=samples,
        bits=bits[: max(samples, 1)],
        formats=_many(tags, 339, (1,)),
        extra=_many(tags, 338, ()),
        planar=_one(tags, 284, 1) == 2,
        compression=compression,
        predictor=_one(tags, 317, 1),
        bits_reversed=_one(tags, 266, 1) == 2,
        plain_inks=_one(tags, 332, 1) == 1,
        plain_ycbcr=_many(tags, 530, (2, 2)) == (1, 1) and 532 not in tags,
        depth=_one(tags, 32997, 1),
        block=block,
        tiled=tiled,
        offsets=_many(tags, 324 if tiled else 273, ()),
        counts=_many(tags, 325 if tiled else 279, ()),
    )


def _many(tags: Tags, number: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """The whole numbers of a tag."""
    try:
        value = tags.get(number, default)
    except Exception as error:  # Pillow decodes a value when it is asked for
        raise ImageError(f"damaged or truncated: tag {number} of a TIFF: {error}") from error
    values = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, int) for item in values):
        raise ImageError(f"damaged or truncated: tag {number} of a TIFF is not a whole number")
    return values


def _one(tags: Tags, number: int, default: int | None = None) -> int:
    """The first whole number of a tag."""
    values = _many(tags, number, () if default is None else (default,))
    if not values:
        raise ImageError(f"damaged or truncated: a TIFF without its tag {number}")
    return values[0]
