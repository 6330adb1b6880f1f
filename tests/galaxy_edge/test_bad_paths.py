"""Paths without an image, and files that change while they are read."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile

from PIL import Image

from galaxy_edge import Predictor
from galaxy_edge.inputs.content import MAX_BYTES
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.paths import expand
from tests.conftest import galaxy
from tests.galaxy_edge.bad import GOOD, MIB, STEPS, assert_failed, predict_between_good, scores
from tests.systems import posix

pytestmark = posix


def test_large_files_that_are_not_images_are_refused(predictor, folder):
    for size, reason in ((100 * MIB, "not an image"), (MAX_BYTES + 1, "too large")):
        path = folder / "zeros.png"
        path.touch()
        os.truncate(path, size)
        assert_failed(predict_between_good(predictor, path), reason)


def test_a_path_without_an_image_is_reported_with_a_reason(predictor, folder):
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "dangling.png").symlink_to("absent.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    for name, reason in {
        "loop.png": "not readable",
        "dangling.png": "missing",
        "folder.png": "not an image: a folder",
        "pipe.png": "not an image: not a regular file",
        "/dev/zero": "not an image: not a regular file",
        "a.png/b.png": "not readable",
        "a" * 300 + ".png": "not readable",
        "nul\0.png": "missing",
        "surrogate\ud800.png": "missing",
    }.items():
        assert_failed(predict_between_good(predictor, name), reason)


def test_missing_permissions_are_reported(predictor):
    # Not in `tmp_path`, which only its owner may enter.
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)  # noqa: S103 - another user must be able to enter
        locked = [os.path.join(place, name) for name in ("file.png", "folder")]
        with open(locked[0], "wb") as file:
            file.write(GOOD[0])
        os.mkdir(locked[1])
        for path in locked:
            os.chmod(path, 0)
        decode(GOOD[0], STEPS)  # load the plugins of Pillow before changing the user
        root = os.geteuid() == 0
        try:
            if root:  # root may read everything
                os.seteuid(65534)
            predictions = [predict_between_good(predictor, path) for path in locked]
        finally:
            if root:
                os.seteuid(0)
        for prediction in predictions:
            assert_failed(prediction, "not readable: permission denied")


def test_a_file_deleted_after_the_listing_is_missing(predictor, folder):
    (folder / "m.png").write_bytes(GOOD[0])
    listed = list(expand([str(folder)], io.BytesIO()))
    os.unlink(folder / "m.png")
    first, middle, last = predictor.predict_many(listed)
    assert_failed(middle, "missing")
    assert [first.score, last.score] == scores(predictor, GOOD)


def test_files_deleted_during_a_run_are_missing(folder):
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


def test_a_file_that_shrinks_during_reading_does_not_kill_the_process(folder):
    """With memory-mapped pixels, the system would kill it for reading beyond the end."""
    file = io.BytesIO()
    Image.fromarray(galaxy(3, 64)[..., 0]).save(file, "TIFF")
    content = file.getvalue()
    (folder / "x.tif").write_bytes(content)
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
    assert int(done.stdout) == decode(content, STEPS).sum()
