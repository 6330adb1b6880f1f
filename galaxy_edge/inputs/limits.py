"""The largest images that are decoded."""

from __future__ import annotations

from galaxy_edge.errors import ImageError

#: Larger images are refused before their pixels are decoded. At this size, 256 MiB of RGB, Pillow
#: starts to warn of decompression bombs.
MAX_PIXELS = 89_478_485
#: The longest side of JPEG and GIF. The weights of a resizing filter grow with the side, to
#: gigabytes for a file of kilobytes that is one pixel high.
MAX_SIDE = 65_535


def check_size(width: int, height: int) -> None:
    """Refuse an image by its size, pixels, before its pixels are decoded.

    Raises:
        ImageError: the image has no pixels, too many pixels, or a side that is too long.
    """
    if not width * height:
        raise ImageError(f"empty: {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"too large: {width} x {height} is over {MAX_PIXELS:,} pixels; cut or reduce it first"
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"too large: {width} x {height} has a side over {MAX_SIDE:,}; cut or reduce it first"
        )
