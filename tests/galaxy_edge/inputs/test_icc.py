"""Images with a colour profile are converted to sRGB."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from galaxy_edge.inputs import icc
from galaxy_edge.inputs.images import decode, decoded, read
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.profiles import (
    ADOBE_GAMMA,
    ADOBE_TO_XYZ,
    cmyk_profile,
    grey_profile,
    profile,
    rgb_profile,
)

AS_IS = Preprocessing(size=20)
ADOBE = rgb_profile()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SRGB_TO_XYZ = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
FORMS = ("PNG", "JPEG", "TIFF", "WEBP")


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    options |= {"lossless": True} if form == "WEBP" else {}
    image.save(file, form, **options)
    return file.getvalue()


def srgb_curve(linear):
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def adobe_in_srgb(pixels):
    """The colours of Adobe RGB in sRGB, calculated here and not by LittleCMS."""
    to_linear_srgb = np.linalg.inv(SRGB_TO_XYZ) @ ADOBE_TO_XYZ
    linear = (pixels / 255) ** ADOBE_GAMMA @ to_linear_srgb.T
    return 255 * srgb_curve(linear)


def srgb_in_adobe(pixels):
    """The pixels of an sRGB image as a program saves them in Adobe RGB."""
    values = pixels / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ (np.linalg.inv(ADOBE_TO_XYZ) @ SRGB_TO_XYZ).T, 0, 1)
    return np.round(255 * linear ** (1 / ADOBE_GAMMA)).astype(np.uint8)


@settings(deadline=None)  # the first image with a profile imports LittleCMS
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_adobe_rgb_becomes_srgb(colour):
    content = saved(Image.new("RGB", (4, 4), colour), icc_profile=ADOBE)
    got = np.asarray(read(content))[0, 0].astype(float)
    assert np.abs(got - adobe_in_srgb(np.array(colour))).max() <= 2


@pytest.mark.parametrize("form", FORMS)
def test_a_galaxy_in_adobe_rgb_is_the_galaxy_in_srgb(form):
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    image = Image.fromarray(srgb_in_adobe(galaxy(1)))
    content = saved(image, form, icc_profile=ADOBE, **options)
    change = decode(content, AS_IS).astype(int) - galaxy(1)
    assert np.abs(change).max() <= (10 if form == "JPEG" else 3)


@pytest.mark.parametrize("form", FORMS)
def test_srgb_profiles_change_no_pixel(form):
    image = Image.fromarray(galaxy(1))
    # Profiles of sRGB differ in their bytes; this one has rounded numbers, as small ones do.
    for same in (SRGB, SRGB.replace(b"sRGB", b"ours")):
        done = decoded(saved(image, form, icc_profile=same), AS_IS)
        assert np.array_equal(done.pixels, decode(saved(image, form), AS_IS))
        assert done.notes == ()


def test_a_grey_profile_changes_the_tones():
    image = Image.fromarray(np.arange(0, 200, 10, dtype=np.uint8)[None])
    content = saved(image, icc_profile=grey_profile(1.0))
    got = np.asarray(read(content))[0].astype(float)
    assert np.abs(got - 255 * srgb_curve(np.arange(0, 200, 10) / 255)[:, None]).max() <= 2


def test_16_bit_grey_is_converted_too():
    image = Image.fromarray(np.full((4, 4), 100 << 8, np.uint16))
    got = decode(saved(image, icc_profile=grey_profile(1.0)), AS_IS)
    assert abs(int(got[0, 0, 0]) - 255 * float(srgb_curve(100 / 255))) <= 2


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_a_cmyk_profile_replaces_the_plain_conversion(form):
    for ink, lightness in (((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0), ((255, 0, 0, 0), 255)):
        content = saved(Image.new("CMYK", (20, 20), ink), form, icc_profile=cmyk_profile())
        assert np.abs(decode(content, AS_IS).astype(int) - lightness).max() <= 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1"])
def test_every_mode_with_an_rgb_profile_is_converted_before_it_is_laid_over_black(mode):
    image = Image.fromarray(galaxy(1)).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(128)
    got = decode(saved(image, icc_profile=ADOBE), AS_IS).astype(float)
    expected = adobe_in_srgb(np.asarray(image.convert("RGBA"), dtype=float)[..., :3])
    if mode in ("RGBA", "LA"):
        expected = expected * 128 / 255
    assert np.abs(got - expected).max() <= 3


def test_the_palette_keeps_its_transparent_colour():
    image = Image.fromarray(galaxy(1)).quantize(8)
    content = saved(image, icc_profile=ADOBE, transparency=0)
    transparent = np.asarray(image) == 0
    got = decode(content, AS_IS)
    assert not got[transparent].any()
    assert got[~transparent].any()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"rubbish", "cannot be used"),
        (ADOBE[:200], "cannot be used"),
        (grey_profile(1.0), "for GRAY"),
        (cmyk_profile(), "for CMYK"),
        (profile(b"Lab ", b"abst", b"Lab ", {}), "cannot be used"),
    ],
    ids=["rubbish", "cut", "grey", "CMYK", "Lab"],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_profile_that_cannot_be_used_is_ignored_with_a_note(form, broken, reason):
    image = Image.fromarray(galaxy(1))
    done = decoded(saved(image, form, icc_profile=broken), AS_IS)
    assert np.array_equal(done.pixels, decode(saved(image, form), AS_IS))
    (note,) = done.notes
    assert "profile" in note
    assert reason in note


@settings(deadline=None)  # the first image with a profile imports LittleCMS
@given(st.integers(0, len(ADOBE) - 1), st.integers(0, 255))
def test_a_damaged_profile_never_stops_an_image(place, value):
    damaged = bytearray(ADOBE)
    damaged[place] = value
    done = decoded(saved(Image.fromarray(galaxy(1)), icc_profile=bytes(damaged)), AS_IS)
    assert isinstance(done.pixels, np.ndarray)


@pytest.mark.parametrize("form", [*FORMS, "GIF", "BMP"])
def test_an_image_without_a_profile_costs_nothing(monkeypatch, form):
    calls = []
    monkeypatch.setattr(icc, "to_srgb", lambda *given: calls.append(given))
    monkeypatch.setattr(icc, "_transform", lambda *given: calls.append(given))
    decode(encoded(galaxy(1), form), AS_IS)
    assert calls == []


def test_a_transform_is_built_once_for_many_images(monkeypatch):
    icc._transform.cache_clear()
    built = []
    real = ImageCms.buildTransform
    monkeypatch.setattr(
        ImageCms, "buildTransform", lambda *given: built.append(given) or real(*given)
    )
    content = saved(Image.fromarray(galaxy(1)), icc_profile=ADOBE)
    for _ in range(3):
        decode(content, AS_IS)
    assert len(built) == 1
