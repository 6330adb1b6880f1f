"""Bad input gets a reason and no score, and does not change the scores of its neighbours."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import ImageError
from galaxy_edge.inputs.images import decode
from tests.conftest import galaxy
from tests.galaxy_edge.bad import GOOD, MIB, STEPS, assert_failed, predict_between_good, scores
from tests.systems import posix

# Users do not turn warnings of Pillow into errors, so the tests must not rely on that.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

GREY = galaxy(3, 64)[..., 0]


def saved(form, image=None, **options):
    file = io.BytesIO()
    (image or Image.fromarray(galaxy(3, 64))).save(file, form, **options)
    return file.getvalue()


def animated(form):
    frames = [Image.fromarray(galaxy(seed, 32)).quantize(64) for seed in (4, 5)]
    if form == "WEBP":
        frames = [frame.convert("RGB") for frame in frames]
    options = {"lossless": True} if form == "WEBP" else {}
    return saved(form, frames[0], save_all=True, append_images=frames[1:], **options)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def black_png(width, height, *, rows=None):
    """A PNG of one bit per pixel; with ``rows``, it has fewer rows than its header says."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + (width + 7) // 8) * (rows or height)))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def grey_tiff(width, height, strip, compression=1):
    """A TIFF whose directory comes first, unlike in the compressed ones that Pillow writes."""
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 0, 278: height}
    tags[279] = len(strip)
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4) + strip


def with_png_profile(profile):
    after_header = 8 + 25
    plain = saved("PNG")
    return plain[:after_header] + chunk(b"iCCP", profile) + plain[after_header:]


#: Images of one frame, so that every sixteenth of the file is needed to read the pixels.
STILLS = {
    "PNG": saved("PNG"),
    "JPEG": saved("JPEG"),
    "progressive JPEG": saved("JPEG", progressive=True),
    "TIFF": saved("TIFF"),
    "grey TIFF": saved("TIFF", Image.fromarray(GREY)),
    "LZW TIFF": saved("TIFF", Image.fromarray(GREY), compression="tiff_lzw"),
    "JPEG TIFF": saved("TIFF", compression="jpeg"),
    "deflated TIFF": grey_tiff(64, 64, zlib.compress(GREY.tobytes()), 8),
    "WebP": saved("WEBP"),
    "lossless WebP": saved("WEBP", lossless=True),
    "GIF": saved("GIF"),
    "BMP": saved("BMP"),
    "grey BMP": saved("BMP", Image.fromarray(GREY)),
}
ANIMATIONS = {form: animated(form) for form in ("GIF", "PNG", "WEBP")}
WHOLE = STILLS | {f"animated {form}": content for form, content in ANIMATIONS.items()}
CUTS = {
    f"{name} {sixteenth}": content[: len(content) * sixteenth // 16]
    for name, content in STILLS.items()
    for sixteenth in range(1, 16)
}
CUT_SHORT = "not an image|damaged or truncated"
BAD = {
    "empty": (b"", "empty"),
    "text": (b"NGC 1068\n", "not an image"),
    "html": (b"<!DOCTYPE html><title>404</title>", "not an image"),
    "short png header": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(12)), "damaged"),
    "forged png": (black_png(30_000, 30_000, rows=1), "too large"),
    "true png": (black_png(9_500, 9_500), "too large"),
    # Few pixels, but the resizing filter would need gigabytes of weights.
    "long png": (black_png(80_000_000, 1), "too large: .* side"),
    "forged jpeg": (
        saved("JPEG").replace(b"\x08\0\x40\0\x40\x03", b"\x08\xff\0\xff\0\x03"),
        "too large",
    ),
    "forged tiff": (grey_tiff(60_000, 60_000, zlib.compress(b"0"), 8), "too large"),
    "forged gif": (b"GIF89a\xff\xff\xff\xff" + saved("GIF")[10:], "too large"),
    "forged bmp": (
        saved("BMP").replace(b"\x40\0\0\0" * 2, b"\0\xff\0\0" * 2, 1),
        "too large",
    ),
}
CORPUS = BAD | {name: (content, CUT_SHORT) for name, content in CUTS.items()}
#: Odd but valid files, and an image with the same pixels.
ODD = {
    "1 x 1": (black_png(1, 1), np.zeros((1, 1), np.uint8)),
    "1 x 10,000": (black_png(1, 10_000), np.zeros((10_000, 1), np.uint8)),
    "10,000 x 1": (black_png(10_000, 1), np.zeros((1, 10_000), np.uint8)),
    "profile that is not deflated": (with_png_profile(b"x\0\0rubbish"), saved("PNG")),
    "invalid profile": (with_png_profile(b"x\0\0" + zlib.compress(b"rubbish")), saved("PNG")),
} | {
    f"invalid profile in {form}": (saved(form, icc_profile=b"rubbish"), saved(form))
    for form in ("JPEG", "TIFF", "WEBP")
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_truncated_file_gives_all_pixels_or_an_error(name):
    """Only the part after the pixels may be missing."""
    whole = WHOLE[name]
    expected = decode(whole, STEPS)
    lengths = {len(whole) * sixteenth // 16 for sixteenth in range(1, 16)}
    for length in sorted(lengths | set(range(len(whole) - 80, len(whole)))):
        try:
            pixels = decode(whole[:length], STEPS)
        except ImageError as error:
            assert re.match(CUT_SHORT, str(error)), length
        else:
            assert np.array_equal(pixels, expected), length


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_reported_with_a_reason(predictor, folder, name):
    content, reason = BAD[name]
    with pytest.raises(ImageError, match=reason):
        decode(content, STEPS)
    path = folder / "bad.png"
    path.write_bytes(content)
    for source in (content, path):
        assert_failed(predict_between_good(predictor, source), reason)


@pytest.mark.parametrize("name", ODD)
def test_odd_but_valid_files_are_read(predictor, name):
    content, like = ODD[name]
    assert np.array_equal(decode(content, STEPS), decode(like, STEPS))
    assert predict_between_good(predictor, content).status != "error"


@pytest.mark.parametrize("form", ANIMATIONS)
def test_the_first_frame_of_an_animation_is_classified(predictor, form):
    first = np.asarray(Image.fromarray(galaxy(4, 32)).quantize(64).convert("RGB"))
    with Image.open(io.BytesIO(ANIMATIONS[form])) as animation:
        assert animation.n_frames == 2
    middle = predict_between_good(predictor, ANIMATIONS[form])
    assert middle.score == predict_between_good(predictor, first).score


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
def test_a_wrong_suffix_and_trailing_zeros_do_not_matter(predictor, folder, form):
    content = saved(form)
    path = folder / "suffix.jpg"
    path.write_bytes(content)
    os.truncate(path, len(content) + 100 * MIB)
    middle = predict_between_good(predictor, path)
    assert middle.score == predict_between_good(predictor, content).score is not None


@pytest.mark.parametrize("empty", [Image.new("RGB", (0, 5)), Image.new("RGB", (150, 0))])
def test_an_image_without_pixels_has_no_score(predictor, empty):
    assert_failed(predict_between_good(predictor, empty), "empty")


@posix
def test_predict_reports_every_bad_file(folder, predictor):
    """In one run: all bad files, with a good one before each and one at the end."""
    inputs = []
    for number, (name, (content, reason)) in enumerate(CORPUS.items()):
        inputs += [(f"{number:03}.png", None), (f"{number:03} {name}.png", reason)]
        (folder / inputs[-2][0]).write_bytes(GOOD[0])
        (folder / inputs[-1][0]).write_bytes(content)
    (folder / "loop.png").symlink_to("loop.png")
    inputs += [("loop.png", "not readable"), ("a.png", None), ("absent.png", "missing")]
    inputs += [("z.png", None)]
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_edge", "predict", "-", "--format", "jsonl"],
        input="".join(f"{name}\n" for name, _ in inputs).encode(),
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    first, second = scores(predictor, GOOD)
    for (name, reason), row in zip(inputs, rows, strict=True):
        assert row["path"] == name
        if reason:
            assert (row["status"], row["score"], row["label"]) == ("error", None, None)
            assert re.match(f"({reason})", row["error"]), row
        else:
            expected = second if name == "z.png" else first
            assert row["score"] == pytest.approx(expected, abs=1e-6)
    assert f"{len(CORPUS) + 2} failed".encode() in done.stderr
