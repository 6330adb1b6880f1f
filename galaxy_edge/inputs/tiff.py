"""Read TIFF: with Pillow where it is right, with the few lines below where those suffice.

Other layouts are refused with the reason. Never is one guessed.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs import libtiff
from galaxy_edge.inputs.depth import eight_bits
from galaxy_edge.inputs.tiff_layout import (
    CMYK,
    COREL_ALPHA,
    OLD_JPEG,
    PALETTE,
    RAW,
    RGB,
    UNASSOCIATED,
    WHITE_IS_0,
    Layout,
    layout_of,
    tags_of,
)
from galaxy_edge.inputs.tiff_support import described, is_ours, unsupported

Samples: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_ICC_PROFILE = 34675
_COLOUR_MAP = 320
_KIND = 254


def read(file: BinaryIO, bit_depth: int, notes: list[str]) -> Image.Image:
    """Read the first picture of a TIFF.

    Args:
        file: at its first byte.
        bit_depth: bits of 16-bit samples that are used.
        notes: gets sentences for the user.

    Returns:
        The image, in any mode of Pillow; its pixels may not be loaded yet.

    Raises:
        ImageError: the file is damaged, or its layout cannot be decoded correctly.
    """
    little = file.read(1) == b"I"
    file.seek(0)
    tags = tags_of(file)
    layout = layout_of(tags, "<" if little else ">")
    if reason := unsupported(layout):
        raise ImageError(f"not supported: {reason}")
    if layout.compression != OLD_JPEG and not layout.complete:
        raise ImageError("damaged or truncated: some strips or tiles of the TIFF are missing")
    if tags.get(_KIND) == 1:
        notes.append("its first picture is marked as a reduced copy of another one in the file")
    if is_ours(layout):
        image = _image(_samples(file, layout), layout, bit_depth, notes)
        image.info["icc_profile"] = tags.get(_ICC_PROFILE)
        image.getexif()[ExifTags.Base.Orientation] = tags.get(ExifTags.Base.Orientation, 1)
        return image
    if layout.colour == PALETTE and max(tags.get(_COLOUR_MAP, (256,))) < 256:
        raise ImageError("not supported: a TIFF with a colour map of 8 bits; save it as RGB")
    if layout.compression != RAW:
        libtiff.silence()
    file.seek(0)
    try:
        return Image.open(file, formats=["TIFF"])
    except UnidentifiedImageError as error:
        raise ImageError(
            f"not supported: {described(layout)}; save it as 8-bit RGB or grey"
        ) from error


def check_given(image: Image.Image) -> None:
    """Refuse a PIL image that Pillow reads wrongly from its TIFF.

    Raises:
        ImageError: the pixels of the image are not those of the file.
    """
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return
    layout = layout_of(tags)
    if reason := unsupported(layout):
        raise ImageError(f"not supported: {reason}")
    if is_ours(layout):
        raise ImageError(
            f"not supported: Pillow misreads {described(layout)}; give its path or its bytes "
            "instead of a PIL image"
        )


def _samples(file: BinaryIO, layout: Layout) -> Samples:
    """uint8 or uint16 (H, W, samples)."""
    width, height = layout.size
    across, down = layout.blocks
    dtype = np.dtype(np.uint8 if layout.bits[0] == 8 else np.uint16)
    every = layout.samples
    pixels = np.empty((height, width, every), dtype)
    together = 1 if layout.planar else every
    for number in range(across * down * (every // together)):
        plane, place = divmod(number, across * down)
        row, column = (index * side for index, side in zip(
            divmod(place, across), reversed(layout.block), strict=True
        ))  # fmt: skip
        rows = layout.block[1] if layout.tiled else min(layout.block[1], height - row)
        shape = (rows, layout.block[0], together)
        content = _block(file, layout, number, int(np.prod(shape)) * dtype.itemsize)
        block = np.frombuffer(content, dtype.newbyteorder(layout.order)).reshape(shape)
        if layout.predictor == 2:
            block = np.cumsum(block, axis=1, dtype=dtype)
        target = pixels[row : row + rows, column : column + layout.block[0]]
        target[..., plane : plane + together] = block[: target.shape[0], : target.shape[1]]
    return pixels


def _block(file: BinaryIO, layout: Layout, number: int, size: int) -> bytes:
    file.seek(layout.offsets[number])
    if layout.compression == RAW:
        content = file.read(size)
    else:
        packed = file.read(layout.counts[number] if number < len(layout.counts) else -1)
        content = zlib.decompressobj().decompress(packed, size)
    if len(content) != size:
        raise ImageError("damaged or truncated: a strip or tile of the TIFF ends too soon")
    return content


def _image(samples: Samples, layout: Layout, bit_depth: int, notes: list[str]) -> Image.Image:
    """The colours and the alpha channel of the samples as an image."""
    if layout.colour == WHITE_IS_0:
        samples = np.iinfo(samples.dtype).max - samples
    colours = {RGB: 3, CMYK: 4}.get(layout.colour, 1)
    extra = layout.extra[: samples.shape[2] - colours]
    if colours == 3 and samples.shape[2] == 4 and not extra:
        extra = (UNASSOCIATED,)  # as Pillow takes it
    alpha = extra[:1] in ((UNASSOCIATED,), (COREL_ALPHA,))
    # Colours that are multiplied with their alpha (associated) are what remains over black.
    used = samples[..., : colours + alpha]
    if used.shape[2] == 1 and used.dtype == np.uint16:
        return Image.fromarray(np.ascontiguousarray(used[..., 0]))
    if used.dtype == np.uint16:
        used = eight_bits(used.astype(np.uint16), bit_depth, notes)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if colours == 4 else "RGBA"}[used.shape[2]]
    content = np.ascontiguousarray(used, dtype=np.uint8).tobytes()
    return Image.frombytes(mode, layout.size, content)
