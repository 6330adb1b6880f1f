"""Every layout of TIFF is decoded correctly or refused with the reason."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.images import decoded, read
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import galaxy
from tests.galaxy_edge.inputs.profiles import rgb_profile
from tests.galaxy_edge.inputs.test_icc import adobe_in_srgb

COLOURS = {"minisblack": 1, "miniswhite": 1, "rgb": 3, "separated": 4}
DTYPES = ("u1", "u2", "i1", "i2", "f4", "u4")


@st.composite
def written(draw):
    """A file of a random layout, and its samples."""
    colour = draw(st.sampled_from(sorted(COLOURS)))
    extra = draw(st.sampled_from([
        (), ("unspecified",), ("assocalpha",), ("unassalpha",), ("unspecified", "unspecified"),
        ("unassalpha", "unspecified"), ("unspecified", "unassalpha"),
    ]))  # fmt: skip
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    samples = COLOURS[colour] + len(extra)
    dtype = np.dtype(draw(st.sampled_from(DTYPES[:2] * 4 + DTYPES)))
    seed = draw(st.integers(0, 99))
    values = np.random.default_rng(seed).integers(0, 2**16, (height, width, samples))
    pixels = (values >> (16 - 8 * dtype.itemsize if dtype.itemsize < 2 else 0)).astype(dtype)
    planar = samples > 1 and draw(st.booleans())
    options = {"planarconfig": "separate" if planar else "contig"} if samples > 1 else {}
    if extra:
        options["extrasamples"] = extra
    if draw(st.booleans()):
        options["tile"] = draw(st.sampled_from([(16, 16), (16, 48), (64, 32)]))
    else:
        options["rowsperstrip"] = draw(st.integers(1, height))
    options["compression"] = draw(st.sampled_from([None, "zlib", "lzma"]))
    if options["compression"] and dtype.kind != "f":
        options["predictor"] = draw(st.booleans())
    data = pixels.transpose(2, 0, 1) if planar else pixels if samples > 1 else pixels[..., 0]
    file = io.BytesIO()
    tifffile.imwrite(
        file, np.ascontiguousarray(data), photometric=colour, metadata=None,
        byteorder=draw(st.sampled_from("<>")), bigtiff=draw(st.booleans()), **options,
    )  # fmt: skip
    return file.getvalue(), pixels, colour, extra


def rgb_of(pixels, colour, extra):
    """The picture as 8-bit RGB over black, and where that is well defined."""
    high = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(int)
    colours, alpha = high[..., : COLOURS[colour]], high[..., COLOURS[colour] :]
    if colour == "miniswhite":
        colours = 255 - colours
    if colour == "separated":
        ink = Image.frombytes("CMYK", colours.shape[1::-1], colours.astype(np.uint8).tobytes())
        colours = np.asarray(ink.convert("RGB")).astype(int)
    legal = np.ones(colours.shape[:2], bool)
    if extra[:1] == ("unassalpha",):
        colours = (colours * alpha[..., :1] + 127) // 255
    elif extra[:1] == ("assocalpha",):
        legal = colours.max(axis=2) <= alpha[..., 0]
    return np.broadcast_to(colours, (*colours.shape[:2], 3)), legal


@settings(max_examples=400, deadline=None)
@given(written())
def test_a_random_layout_is_read_correctly_or_refused(drawn):
    content, pixels, colour, extra = drawn
    try:
        got = np.asarray(read(content)).astype(int)
    except ImageError as error:
        assert re.match("not supported: a .*TIFF", str(error))
        return
    assert pixels.dtype in (np.uint8, np.uint16)
    expected, legal = rgb_of(pixels, colour, extra)
    # Pillow and the line above round the product with alpha differently.
    assert np.abs(got - expected)[legal].max(initial=0) <= (1 if extra else 0)


def written_as(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


COLOUR = np.random.default_rng(0).integers(0, 2**16, (37, 45, 4)).astype(np.uint16)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("samples", [3, 4])
def test_planes_give_the_pixels_of_the_interleaved_file(samples, tile, compression):
    options = {"photometric": "rgb", "tile": tile, "compression": compression}
    options |= {"extrasamples": ["unassalpha"]} if samples == 4 else {}
    pixels = COLOUR[..., :samples]
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    planar = read(written_as(planes, planarconfig="separate", **options))
    contiguous = read(written_as(pixels, planarconfig="contig", **options))
    assert np.array_equal(np.asarray(planar), np.asarray(contiguous))


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_16_bit_grey_with_white_as_0_is_not_negative(compression, byte_order):
    options = {"compression": compression, "byteorder": byte_order}
    grey = COLOUR[..., 0]
    white = read(written_as(65535 - grey, photometric="miniswhite", **options))
    black = read(written_as(grey, photometric="minisblack", **options))
    assert np.array_equal(np.asarray(white), np.asarray(black))
    assert np.array_equal(np.asarray(black)[..., 0], grey >> 8)


@pytest.mark.parametrize("byte_order", "<>")
def test_16_bit_grey_with_alpha_is_read(byte_order):
    pixels = np.stack([COLOUR[..., 0], np.full((37, 45), 65535, np.uint16)], axis=2)
    content = written_as(
        pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"],
        byteorder=byte_order,
    )  # fmt: skip
    assert np.array_equal(np.asarray(read(content))[..., 1], COLOUR[..., 0] >> 8)


@pytest.mark.parametrize(
    ("dtype", "colours", "reason"),
    [
        ("i1", 1, "8-bit signed"),
        ("i2", 1, "16-bit signed"),
        ("i1", 3, "8-bit signed"),
        ("f4", 3, "32-bit floating-point"),
        ("f4", 1, "32-bit floating-point"),
        ("f2", 3, "16-bit floating-point"),
        ("u4", 3, "32-bit samples"),
        ("c8", 1, "64-bit complex"),
    ],
)
def test_samples_without_an_agreed_range_are_named(dtype, colours, reason):
    pixels = np.zeros((8, 8, 3)[: 3 if colours == 3 else 2], dtype)
    content = written_as(pixels, photometric="rgb" if colours == 3 else "minisblack")
    with pytest.raises(ImageError, match=f"not supported: a TIFF of {reason}.*stretch it"):
        read(content)


def grey_tiff(strip, **changed):
    """An 8 x 8 TIFF in 8-bit grey; ``changed`` gives tags, as in ``t262=None``."""
    tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 8, 279: len(strip)}
    tags |= {int(name[1:]): value for name, value in changed.items()}
    tags = {tag: value for tag, value in sorted(tags.items()) if value is not None}
    if tags.get(273) == 0:
        tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4) + strip


STRIP = bytes(range(64))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"t262": None}, "not supported: .*PhotometricInterpretation"),
        ({"t262": 32803}, "not supported: .*camera's filters"),
        ({"t262": 32845}, "not supported: .*LogLuv"),
        ({"t262": 777}, "not supported: .*number 777"),
        ({"t259": 34712}, "not supported: .*JPEG 2000"),
        ({"t259": 4711}, "not supported: .*number 4711"),
        ({"t277": 9}, "not supported: .*9 samples"),
        ({"t277": 3}, "not supported: .*3 samples"),
        ({"t258": 64}, "not supported: .*64-bit"),
        ({"t258": 12, "t259": 7}, "not supported: .*JPEG compression of 12 bits"),
        ({"t317": 2}, "not supported: .*predictor"),
        ({"t32997": 4}, "not supported: .*volume"),
        ({"t262": 3}, "not supported: .*palette"),
        ({"t262": 3, "t320": 255}, "not supported: .*colour map"),
        ({"t262": 0, "t258": 4, "t284": 2}, "not supported: .*planes"),
        ({"t256": None}, "damaged or truncated: .*256"),
        ({"t273": 1_000_000}, "damaged or truncated"),
        ({"t278": 4}, "damaged or truncated: some strips"),
        ({"t278": 0}, "damaged or truncated: strips"),
        ({"t273": None}, "damaged or truncated: some strips"),
        ({"t256": 0}, "empty"),
        ({"t256": 1 << 30}, "too large"),
    ],
)
def test_the_reason_names_what_is_wrong(changed, reason):
    assert np.array_equal(np.asarray(read(grey_tiff(STRIP)))[..., 0].ravel(), list(STRIP))
    with pytest.raises(ImageError, match=reason):
        read(grey_tiff(STRIP, **changed))


def test_packed_12_bit_grey_keeps_its_eight_high_bits():
    values = np.arange(64) * 65
    bits = "".join(f"{value:012b}" for value in values)
    packed = bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits), 8))
    for content in (
        grey_tiff(packed, t258=12),
        grey_tiff(zlib.compress(packed), t258=12, t259=8),
    ):
        assert np.array_equal(np.asarray(read(content))[..., 0].ravel(), values >> 4)


@pytest.mark.parametrize("place", range(8, 8 + 2 + 9 * 12))
def test_tags_that_are_cut_off_are_damage(place):
    content = grey_tiff(STRIP)
    for cut in (content[:place], STRIP + content[:place]):
        with pytest.raises(ImageError, match=r"damaged or truncated|not an image"):
            read(cut)


def test_our_decoder_applies_the_orientation_and_the_profile():
    pixels = np.repeat(galaxy(1)[:10], 2, axis=1)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    tags = [(274, "H", 1, 6, True), (34675, "B", len(rgb_profile()), rgb_profile(), True)]
    content = written_as(planes, photometric="rgb", planarconfig="separate", extratags=tags)
    expected = np.rot90(adobe_in_srgb(pixels.astype(float)), -1)
    assert np.abs(np.asarray(read(content)) - expected).max() <= 3


def test_a_reduced_copy_is_noted():
    content = written_as(galaxy(1), photometric="rgb", subfiletype=1)
    (note,) = decoded(content, Preprocessing(size=20)).notes
    assert "reduced copy" in note


def test_a_pil_image_that_pillow_misreads_is_refused():
    planes = np.ascontiguousarray(COLOUR[..., :3].transpose(2, 0, 1))
    content = written_as(planes, photometric="rgb", planarconfig="separate")
    with Image.open(io.BytesIO(content)) as image, pytest.raises(ImageError, match="path or its"):
        read(image)
    with Image.open(io.BytesIO(written_as(galaxy(1), photometric="rgb"))) as image:
        assert np.array_equal(np.asarray(read(image)), galaxy(1))


DAMAGE = """
import io, sys, threading
from PIL import Image
import numpy as np
from galaxy_edge.inputs.images import decoded
from galaxy_edge.inputs.preprocessing import Preprocessing

pixels = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
for compression in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate", "group4"):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert("1") if compression == "group4" else image).save(
        file, "TIFF", compression=compression
    )
    for place in range(40, len(file.getvalue()), 200):
        content = bytearray(file.getvalue())
        content[place : place + 30] = b"\\xff" * len(content[place : place + 30])
        found = decoded(bytes(content), Preprocessing()).pixels
        if not isinstance(found, np.ndarray):
            print(found)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Pillow for Windows hides libtiff")
def test_libtiff_prints_nothing_and_the_reason_is_returned():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DAMAGE], capture_output=True, check=True, text=True
    )
    assert done.stderr == ""
    reasons = set(done.stdout.splitlines())
    assert "damaged or truncated: the compressed pixels cannot be decoded" in reasons
