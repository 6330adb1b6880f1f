from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.images import decode, read
from galaxy_edge.inputs.limits import MAX_PIXELS
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import encoded, galaxy
from tests.systems import posix

PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))
AS_IS = Preprocessing(size=20)
FILES = [encoded(galaxy(1), form) for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")]
#: Starts of files, from the first bytes alone to a header with the size of the image.
MAGIC = [content[:length] for content in FILES for length in (4, 12, 20, 30)]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@given(PIXELS)
def test_every_kind_of_source_gives_the_same_pixels(tmp_path_factory, image: np.ndarray):
    content = encoded(image)
    path = tmp_path_factory.mktemp("image") / "x.png"
    path.write_bytes(content)
    with Image.open(io.BytesIO(content)) as opened:
        from_pil = decode(opened, AS_IS)
    for source in (content, path, str(path), image):
        assert np.array_equal(decode(source, AS_IS), from_pil)


@given(PIXELS, st.integers(1, 50), st.sampled_from(["nearest", "bilinear", "lanczos"]))
def test_the_result_has_the_networks_shape(image: np.ndarray, size: int, resize: str):
    pixels = decode(image, Preprocessing(size=size, resize=resize, working_size=10))
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8


@settings(deadline=None)  # the first content that begins like FITS imports astropy
@given(st.binary(max_size=200))
def test_rubbish_is_always_an_image_error(content: bytes):
    with pytest.raises(ImageError):
        decode(content, AS_IS)


def check_pixels_or_image_error(content: bytes) -> None:
    try:
        pixels = decode(content, Preprocessing())
    except ImageError as error:
        assert str(error)
    else:
        assert (pixels.shape, pixels.dtype) == ((150, 150, 3), np.uint8)


# Users do not turn warnings of Pillow into errors, so the test must not rely on that.
@pytest.mark.filterwarnings("ignore:::PIL")
@given(st.sampled_from(MAGIC), st.binary(max_size=200))
def test_rubbish_that_begins_like_an_image_is_read_or_an_image_error(magic: bytes, rubbish: bytes):
    check_pixels_or_image_error(magic + rubbish)


@pytest.mark.filterwarnings("ignore:::PIL")
@given(st.data())
def test_a_damaged_file_is_read_or_an_image_error(data: st.DataObject):
    content = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    start = data.draw(st.integers(0, len(content)))
    del content[start : start + data.draw(st.integers(0, len(content)))]
    check_pixels_or_image_error(bytes(content))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_are_read_exactly(form: str):
    image = galaxy(3)
    assert np.array_equal(decode(encoded(image, form), AS_IS), image)


@pytest.mark.parametrize("sixteenth", range(1, 15))
def test_a_truncated_file_is_an_image_error(sixteenth: int):
    content = encoded(galaxy(1, 64))
    with pytest.raises(ImageError):
        decode(content[: len(content) * sixteenth // 16], AS_IS)


def test_resize_filters_are_those_of_pillow():
    image = galaxy(2, 30)
    for name, filter_ in (("nearest", 0), ("lanczos", 1), ("bilinear", 2)):
        expected = np.asarray(Image.fromarray(image).resize((45, 45), filter_))
        assert np.array_equal(decode(image, Preprocessing(size=45, resize=name)), expected)


def test_nearest_is_identical_to_the_resizing_of_keras(tmp_path: Path):
    import keras

    path = tmp_path / "x.png"
    path.write_bytes(encoded(galaxy(2, 33)))
    by_keras = keras.utils.load_img(path, target_size=(150, 150))
    assert np.array_equal(decode(path, Preprocessing()), np.asarray(by_keras))


def test_the_working_size_reduces_only_larger_images():
    steps = Preprocessing(size=30, resize="nearest", working_size=16)
    large, small = galaxy(1, 64), galaxy(1, 12)
    reduced = Image.fromarray(large).resize((16, 16), Image.Resampling.LANCZOS)
    assert np.array_equal(decode(large, steps), np.asarray(reduced.resize((30, 30), 0)))
    assert np.array_equal(decode(small, steps), decode(small, Preprocessing(size=30)))


def test_the_working_size_applies_to_each_axis():
    wide = galaxy(1, 64)[:10]
    reduced = Image.fromarray(wide).resize((16, 10), Image.Resampling.LANCZOS)
    steps = Preprocessing(size=30, working_size=16)
    assert np.array_equal(decode(wide, steps), np.asarray(reduced.resize((30, 30), 0)))


def test_grey_becomes_three_equal_channels():
    grey = galaxy(1)[..., 0]
    assert np.array_equal(decode(grey, AS_IS), np.repeat(grey[..., None], 3, axis=2))


def test_16_bit_grey_keeps_its_high_byte():
    grey = np.arange(400, dtype=np.uint16).reshape(20, 20) * 160
    content = png(Image.fromarray(grey))
    assert np.array_equal(decode(content, AS_IS)[..., 1], (grey >> 8).astype(np.uint8))


def test_transparent_pixels_become_black():
    image = Image.fromarray(galaxy(1)).convert("RGBA")
    image.putalpha(0)
    assert decode(png(image), AS_IS).max() == 0


def test_half_transparent_grey_is_half_as_bright():
    image = Image.merge("LA", [Image.new("L", (20, 20), 200), Image.new("L", (20, 20), 128)])
    assert set(decode(png(image), AS_IS).ravel()) <= {100, 101}


def built_png(width, height, bits, colour, rows, key=None):
    """A PNG that Pillow cannot write, from unfiltered rows; ``key`` is the chunk tRNS."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *([(b"tRNS", key)] if key else []), (b"IDAT", content)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*chunks, (b"IEND", b""))
    )


def png_16_bits(values, colour, key=None):
    height, width = values.shape[:2]
    rows = [row.tobytes() for row in values.astype(">u2")]
    return built_png(width, height, 16, colour, rows, key)


def test_16_bit_colour_keeps_its_high_byte():
    values = np.random.default_rng(0).integers(0, 2**16, (20, 20, 3))
    assert np.array_equal(decode(png_16_bits(values, 2), AS_IS), (values >> 8).astype(np.uint8))


def test_the_transparent_value_of_16_bit_grey_is_exact():
    values = np.full((20, 20), 0x8001)
    values[:, 10:] = 0x8002
    pixels = decode(png_16_bits(values, 0, struct.pack(">H", 0x8002)), AS_IS)
    assert set(pixels[:, :10].ravel()) == {0x80}
    assert not pixels[:, 10:].any()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_value_of_grey_has_the_depth_of_the_file(bits):
    count = min(2**bits, 16)
    codes = np.arange(count) * (2**bits // count)
    row = np.packbits((codes[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)).tobytes()
    key = int(codes[-2])
    content = built_png(count, 1, bits, 0, [row], struct.pack(">H", key))
    expected = codes * 255 // (2**bits - 1)
    expected[-2] = 0
    assert np.array_equal(np.asarray(read(content))[0, :, 0], expected)


def test_the_transparent_colour_of_16_bit_colour_is_exact_or_refused():
    values = np.full((20, 20, 3), 0x8001)
    values[:, 10:] = 0x0102
    for key, refused in (((0x8002,) * 3, True), ((0x9001,) * 3, False), ((0x0012,) * 3, False)):
        content = png_16_bits(values, 2, struct.pack(">3H", *key))
        if refused:
            with pytest.raises(ImageError, match="not supported: a PNG"):
                decode(content, AS_IS)
        else:
            assert np.array_equal(decode(content, AS_IS), (values >> 8).astype(np.uint8))


def test_a_format_that_is_known_and_cannot_be_read_is_named():
    jpeg = bytearray(encoded(galaxy(1), "JPEG"))
    precision = jpeg.index(b"\xff\xc0") + 4
    jpeg[precision] = 12
    with pytest.raises(ImageError, match="not supported: a JPEG with 12 bits"):
        decode(bytes(jpeg), AS_IS)
    for form in ("PNG", "WEBP", "GIF", "BMP"):
        with pytest.raises(ImageError, match=f"damaged or truncated: it begins like {form}"):
            decode(encoded(galaxy(1), form)[: 14 if form == "WEBP" else 12], AS_IS)
    with pytest.raises(ImageError, match="not an image: the format is none of"):
        decode(b"<html>", AS_IS)


@pytest.mark.parametrize(("form", "off_by"), [("TIFF", 0), ("JPEG", 2)])
def test_cmyk_is_converted_to_rgb(form: str, off_by: int):
    inks = {(0, 0, 0, 0): (255, 255, 255), (255, 0, 0, 0): (0, 255, 255),
            (0, 0, 0, 255): (0, 0, 0), (0, 128, 255, 0): (255, 127, 0)}  # fmt: skip
    for ink, light in inks.items():
        file = io.BytesIO()
        Image.new("CMYK", (20, 20), ink).save(file, form)
        pixels = decode(file.getvalue(), AS_IS).astype(int)
        assert np.abs(pixels - light).max() <= off_by


def test_a_palette_keeps_its_colours():
    image = Image.fromarray(galaxy(1)).quantize(16)
    assert np.array_equal(decode(png(image), AS_IS), np.asarray(image.convert("RGB")))


def test_the_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated a quarter turn
    file = io.BytesIO()
    Image.fromarray(galaxy(1)).save(file, "PNG", exif=exif)
    assert np.array_equal(decode(file.getvalue(), AS_IS), np.rot90(galaxy(1), -1))


def test_an_animation_gives_its_first_frame():
    frames = [Image.fromarray(galaxy(seed)).convert("L") for seed in (1, 2)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(decode(file.getvalue(), AS_IS)[..., 0], np.asarray(frames[0]))


# Pillow only warns of the smaller image, and refuses the larger one.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_800, 30_000])
def test_a_huge_image_is_refused_by_its_header(side: int):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))
    with pytest.raises(ImageError, match="too large"):
        decode(content, AS_IS)


def test_an_array_over_the_limit_is_refused():
    vast = np.broadcast_to(np.uint8(0), (1, MAX_PIXELS + 1))
    with pytest.raises(ImageError, match="too large"):
        decode(vast, AS_IS)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.png", None, "missing"),
        ("empty.png", b"", "empty"),
        ("page.png", b"<html>not found</html>", "not an image"),
        ("frame.fits", b"SIMPLE  =                    T" + b" " * 2850, "damaged or truncated"),
        ("page.fits", b"<html>not found</html>", "not an image"),
    ],
)
def test_each_fault_has_its_reason(tmp_path: Path, name: str, content: bytes | None, reason: str):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        decode(path, AS_IS)


@posix
def test_a_file_that_is_not_regular_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for path, reason in (
        (tmp_path / "pipe.png", "not a regular file"),
        (tmp_path / "loop.png", "not readable"),
        (tmp_path / ("a" * 300), "not readable"),
        ("nul\0.png", "missing"),
    ):
        with pytest.raises(ImageError, match=reason):
            decode(path, AS_IS)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_data_leave_the_image_unchanged():
    file = io.BytesIO()
    Image.fromarray(galaxy(1)).save(file, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert np.array_equal(decode(file.getvalue(), AS_IS), galaxy(1))


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(ImageError, match="folder"):
        decode(tmp_path, AS_IS)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_an_array_of_another_dtype_or_shape_is_refused(array: np.ndarray):
    with pytest.raises(ImageError, match="uint8"):
        decode(array, AS_IS)


def test_32_bit_pixels_are_refused():
    with pytest.raises(ImageError, match="32-bit"):
        read(Image.new("F", (4, 4)))


def test_pillow_cannot_map_a_file_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """libtiff maps a file with a number into memory; if it then shrinks, the process is killed."""
    given = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda file, **how: given.append(file) or real(file, **how))
    path = tmp_path / "x.tif"
    Image.fromarray(galaxy(1)).save(path, compression="tiff_lzw")
    assert np.array_equal(decode(path, AS_IS), galaxy(1))
    with pytest.raises(OSError, match="fileno"):
        given[0].fileno()
