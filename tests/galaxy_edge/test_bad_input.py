"""Bad input in earnest: each has its reason and no score, and its good neighbours keep theirs."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import pytest
from PIL import Image

from galaxy_edge import ImageError, Predictor
from galaxy_edge.inputs.images import MAX_BYTES, decode
from galaxy_edge.inputs.paths import expand
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import encoded, galaxy

# As a user has it: that a damaged file is an error must not hang on Pillow's warnings being some.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

STEPS = Preprocessing()
GOOD = (encoded(galaxy(1)), encoded(galaxy(2)))
GREY = galaxy(3, 64)[..., 0]
MIB = 1 << 20


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
    """A PNG of one bit a pixel, of which fewer rows may be there than it says."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + (width + 7) // 8) * (rows or height)))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def grey_tiff(width, height, strip, compression=1):
    """A TIFF whose directory comes first, unlike those that Pillow compresses."""
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 0, 278: height}
    tags[279] = len(strip)
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHLL", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4) + strip


def with_png_profile(profile):
    after_header = 8 + 25
    plain = saved("PNG")
    return plain[:after_header] + chunk(b"iCCP", profile) + plain[after_header:]


#: Of one frame, so that every sixteenth of the file holds some of its pixels, or the only way
#: to them.
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
    # Few pixels, but gigabytes of weights for the filter that reduces them.
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
#: What is to be read, however odd, and what it is to be read like.
ODD = {
    "1 x 1": (black_png(1, 1), np.zeros((1, 1), np.uint8)),
    "1 x 10,000": (black_png(1, 10_000), np.zeros((10_000, 1), np.uint8)),
    "10,000 x 1": (black_png(10_000, 1), np.zeros((1, 10_000), np.uint8)),
    "no deflated profile": (with_png_profile(b"x\0\0rubbish"), saved("PNG")),
    "no profile": (with_png_profile(b"x\0\0" + zlib.compress(b"rubbish")), saved("PNG")),
} | {
    f"no profile in {form}": (saved(form, icc_profile=b"rubbish"), saved(form))
    for form in ("JPEG", "TIFF", "WEBP")
}


@pytest.fixture(scope="module")
def predictor():
    return Predictor(batch_size=16)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with two good images in it."""
    for name, content in zip("az", GOOD, strict=True):
        (tmp_path / f"{name}.png").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scores(predictor, sources):
    return [prediction.score for prediction in predictor.predict_many(sources)]


def between_good_ones(predictor, source):
    """What becomes of a source, once its neighbours are seen to have the scores they have alone."""
    first, middle, last = predictor.predict_many([GOOD[0], source, GOOD[1]])
    if middle.score is None:
        assert [first.score, last.score] == scores(predictor, GOOD)
    else:
        # With three in a batch, the last digit of a score may be another.
        assert [first.score, last.score] == pytest.approx(scores(predictor, GOOD), abs=1e-6)
    return middle


def assert_failed(prediction, reason):
    assert prediction.status == "error"
    assert (prediction.score, prediction.label) == (None, None)
    assert re.match(f"({reason})", prediction.error), prediction.error


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_file_has_the_pixels_of_the_whole_or_none(name):
    """A file may lack what comes after its pixels, and nothing else."""
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
def test_bad_bytes_have_their_reason(predictor, folder, name):
    content, reason = BAD[name]
    with pytest.raises(ImageError, match=reason):
        decode(content, STEPS)
    path = folder / "bad.png"
    path.write_bytes(content)
    for source in (content, path):
        assert_failed(between_good_ones(predictor, source), reason)


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read_as_what_they_hold(predictor, name):
    content, like = ODD[name]
    assert np.array_equal(decode(content, STEPS), decode(like, STEPS))
    assert between_good_ones(predictor, content).status == "ok"


@pytest.mark.parametrize("form", ANIMATIONS)
def test_of_an_animation_the_first_frame_is_judged(predictor, form):
    first = np.asarray(Image.fromarray(galaxy(4, 32)).quantize(64).convert("RGB"))
    with Image.open(io.BytesIO(ANIMATIONS[form])) as animation:
        assert animation.n_frames == 2
    middle = between_good_ones(predictor, ANIMATIONS[form])
    assert middle.score == between_good_ones(predictor, first).score


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
def test_the_suffix_does_not_matter_nor_a_hundred_megabytes_of_zeros_behind(
    predictor, folder, form
):
    content = saved(form)
    path = folder / "suffix.jpg"
    path.write_bytes(content)
    os.truncate(path, len(content) + 100 * MIB)
    middle = between_good_ones(predictor, path)
    assert middle.score == between_good_ones(predictor, content).score is not None


def test_large_files_that_are_no_images(predictor, folder):
    for size, reason in ((100 * MIB, "not an image"), (MAX_BYTES + 1, "too large")):
        path = folder / "zeros.png"
        path.touch()
        os.truncate(path, size)
        assert_failed(between_good_ones(predictor, path), reason)


def test_what_a_path_may_lead_to(predictor, folder):
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "dangling.png").symlink_to("absent.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    for name, reason in {
        "loop.png": "not readable",
        "dangling.png": "missing",
        "folder.png": "not an image: a folder",
        "pipe.png": "not an image: no regular file",
        "/dev/zero": "not an image: no regular file",
        "a.png/b.png": "not readable",
        "a" * 300 + ".png": "not readable",
        "nul\0.png": "missing",
        "surrogate\ud800.png": "missing",
    }.items():
        assert_failed(between_good_ones(predictor, name), reason)


def test_what_may_not_be_read_says_so(predictor):
    # Not below `tmp_path`, which only its owner may enter.
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)  # noqa: S103 - another user is to get in
        locked = [os.path.join(place, name) for name in ("file.png", "folder")]
        with open(locked[0], "wb") as file:
            file.write(GOOD[0])
        os.mkdir(locked[1])
        for path in locked:
            os.chmod(path, 0)
        decode(GOOD[0], STEPS)  # Pillow loads its plugins while it may
        root = os.geteuid() == 0
        try:
            if root:  # whom no mode keeps out
                os.seteuid(65534)
            predictions = [between_good_ones(predictor, path) for path in locked]
        finally:
            if root:
                os.seteuid(0)
        for prediction in predictions:
            assert_failed(prediction, "not readable: permission denied")


def test_a_file_deleted_between_listing_and_reading(predictor, folder):
    (folder / "m.png").write_bytes(GOOD[0])
    listed = list(expand([str(folder)], io.BytesIO()))
    os.unlink(folder / "m.png")
    first, middle, last = predictor.predict_many(listed)
    assert_failed(middle, "missing")
    assert [first.score, last.score] == scores(predictor, GOOD)


def test_files_deleted_while_others_are_judged(folder):
    predictor = Predictor(batch_size=1)
    paths = [folder / f"{number:02}.png" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(GOOD[number % 2])

    def listing():
        for number, path in enumerate(paths):
            if number == 5:
                path.unlink()
            yield path

    running = predictor.predict_many(listing())
    predictions = [next(running)]
    paths[-1].unlink()
    predictions += running
    expected = scores(predictor, GOOD) * 6
    for number, prediction in enumerate(predictions):
        if number in (5, 11):
            assert_failed(prediction, "missing")
        else:
            assert prediction.score == expected[number]
    assert len(predictions) == 12


def test_a_file_that_shrinks_while_it_is_read_ends_no_process(folder):
    """Memory-mapped pixels would: the system kills who reads beyond the end of the file."""
    (folder / "x.tif").write_bytes(STILLS["grey TIFF"])
    child = """
import os
from PIL import ImageFile
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing

load = ImageFile.ImageFile.load
def shrinking(image):
    loaded = load(image)
    os.truncate("x.tif", 0)
    return loaded

ImageFile.ImageFile.load = shrinking
print(decode("x.tif", Preprocessing()).sum())
"""
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, check=False)
    assert done.returncode == 0
    assert int(done.stdout) == decode(STILLS["grey TIFF"], STEPS).sum()


@pytest.mark.parametrize("empty", [Image.new("RGB", (0, 5)), Image.new("RGB", (150, 0))])
def test_an_image_without_pixels_has_no_score(predictor, empty):
    assert_failed(between_good_ones(predictor, empty), "empty")


def test_the_whole_corpus_through_the_command_line(folder, predictor):
    """Every bad file, with a good one before each and one at the end, in one run."""
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
