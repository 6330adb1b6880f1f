"""A contact sheet: small pictures in a grid, with a caption under each."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_GAP = 8
_LETTERS = 12
_LINE = 15
_INK = "#222222"
#: Default side of a picture, pixels.
TILE = 150


def contact_sheet(
    images: Sequence[Image.Image], captions: Sequence[str], columns: int = 6, tile: int = TILE
) -> Image.Image:
    """Arrange images in a grid, row by row.

    Args:
        images: images of any size and mode. Each is resized to fit a square tile and keeps its
            aspect ratio. Small images are enlarged without smoothing, so that their pixels stay
            visible.
        captions: one caption for each image. The middle of a line that is too long for the tile is
            replaced by three dots.
        columns: number of tiles in a row, at least one.
        tile: side of a tile, pixels.

    Returns:
        An RGB image with a white background. Without images it is one empty tile.
    """
    font = ImageFont.load_default(_LETTERS)
    texts = [
        [_cut(line, font, tile) for line in caption.split("\n")]
        for _, caption in zip(images, captions, strict=True)
    ]
    columns = min(columns, max(len(images), 1))
    rows = -(-max(len(images), 1) // columns)
    step = tile + _GAP
    height = step + _LINE * max(map(len, texts), default=0)
    sheet = Image.new("RGB", (columns * step + _GAP, rows * height + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (image, lines) in enumerate(zip(images, texts, strict=True)):
        left = _GAP + number % columns * step
        top = _GAP + number // columns * height
        small = _fitted(image, tile)
        sheet.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        for row, line in enumerate(lines):
            draw.text((left, top + tile + 2 + row * _LINE), line, fill=_INK, font=font)
    return sheet


def _fitted(image: Image.Image, tile: int) -> Image.Image:
    scale = tile / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    enlarging = scale > 1
    return image.convert("RGB").resize(
        size, Image.Resampling.NEAREST if enlarging else Image.Resampling.LANCZOS
    )


def _cut(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    # Without FreeType, Pillow has only one font, with Latin letters.
    if not isinstance(font, ImageFont.FreeTypeFont):
        line = line.encode("ascii", "replace").decode("ascii")
    if font.getlength(line) <= width:
        return line
    # The names of a survey's files start alike and differ at the end, so both ends are kept.
    for kept in range(len(line) - 1, 0, -1):
        cut = f"{line[: kept - kept // 2]}...{line[len(line) - kept // 2 :]}"
        if font.getlength(cut) <= width:
            return cut
    return ""
