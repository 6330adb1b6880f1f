"""Contact sheets."""

from __future__ import annotations

import pytest
from PIL import Image

from galaxy_edge.drawing.sheet import contact_sheet


def test_a_contact_sheet_takes_images_of_any_size_and_mode():
    images = [
        Image.new("RGB", (10, 30), "red"), Image.new("L", (400, 100), 255),
        Image.new("RGBA", (1, 1)), Image.new("RGB", (2000, 1), "blue"),
    ]  # fmt: skip
    sheet = contact_sheet(images, ["x" * 300, "b\nbelow", "a", "★ é"], columns=3, tile=60)
    assert sheet.mode == "RGB"
    assert sheet.width == 3 * 68 + 8
    assert sheet.height == 2 * (68 + 2 * 15) + 8
    # The narrow red image is in the middle of its tile.
    assert sheet.getpixel((8 + 30, 8 + 30)) == (255, 0, 0)
    assert sheet.getpixel((8 + 2, 8 + 30)) == (255, 255, 255)
    # The gap between two tiles is empty.
    gap = sheet.crop((8 + 60, 0, 8 + 68, sheet.height))
    assert gap.getextrema() == ((255, 255),) * 3
    with pytest.raises(ValueError, match="zip"):
        contact_sheet(images, ["a"])
    assert contact_sheet([], []).size == (166, 166)
