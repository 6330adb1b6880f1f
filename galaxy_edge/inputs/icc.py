"""Convert an image with a colour profile (ICC) to sRGB, the colours of images without one."""

from __future__ import annotations

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms

#: A profile that moves no colour by more than this, grey levels, is sRGB in another encoding.
_SAME = 2
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
#: The modes of images that a profile of each kind may describe.
_FITTING = {
    # A grey image is one with equal red, green and blue.
    "RGB": frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "YCbCr"}),
    "GRAY": frozenset({"1", "L", "LA"}),
    "CMYK": frozenset({"CMYK"}),
}
_IGNORED = "its colour profile is ignored, so its colours are taken as sRGB: "


def to_srgb(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    """Convert an 8-bit image from its profile's colours to sRGB.

    The rendering intent is the profile's own. A profile that cannot be used is ignored.

    Args:
        image: any 8-bit mode.
        profile: its ICC profile.
        notes: gets a sentence if the profile is ignored.

    Returns:
        The same image if the profile is sRGB or ignored; otherwise RGB, or RGBA if the image has
        transparent pixels.
    """
    try:
        space, transform = _transform(profile)
    except (ImageCms.PyCMSError, ImportError, OSError, ValueError, TypeError) as error:
        notes.append(f"{_IGNORED}it cannot be used ({error})")
        return image
    if image.mode not in _FITTING[space]:
        notes.append(f"{_IGNORED}it is for {space}, and the image is {image.mode}")
        return image
    if transform is None:
        return image
    transparent = image.has_transparency_data
    opaque = image.convert("RGBA") if transparent else image
    converted = transform.apply(opaque.convert(_MODES[space]))
    if transparent:
        converted.putalpha(opaque.getchannel("A"))
    return converted


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The kind of a profile, and its transform to sRGB; None if it is sRGB.

    Profiles are compared by what they do to colours: sRGB has many encodings.
    """
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = opened.profile.xcolor_space.strip()
    if space not in _MODES:
        raise ValueError(f"it is for {space}")
    mode = _MODES[space]
    intent = ImageCms.Intent(ImageCms.getDefaultIntent(opened))
    transform = ImageCms.buildTransform(opened, _srgb(), mode, "RGB", intent)
    if mode == "CMYK":
        return space, transform
    before = _samples(mode)
    after = np.asarray(transform.apply(before), dtype=np.int16)
    change = np.abs(after - np.asarray(before.convert("RGB")))
    return space, None if change.max() <= _SAME else transform


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _samples(mode: str) -> Image.Image:
    """All greys; for RGB also 4,913 colours, which lie on a grid."""
    greys = np.arange(256, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(greys[None])
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    return Image.fromarray(np.concatenate([grid, np.repeat(greys[:, None], 3, axis=1)])[None])
