"""Labelled folders: files without an end are refused, and signals stop the decoding."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from galaxy_edge.inputs import labelled
from galaxy_edge.inputs.labelled import LabelledFile, load, scan
from galaxy_edge.inputs.preprocessing import Preprocessing
from tests.conftest import encoded, galaxy
from tests.systems import posix

STEPS = Preprocessing(size=24)


@posix
def test_a_pipe_a_device_and_a_folder_are_faults_and_are_not_read(tmp_path: Path):
    (tmp_path / "good.png").write_bytes(encoded(galaxy(1)))
    for name in ("pipe.png", "pipe.fits"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    loaded = load([LabelledFile(path, 0) for path in sorted(tmp_path.iterdir())], STEPS)
    assert [file.path.name for file in loaded.files] == ["good.png"]
    assert {fault.path.name: fault.reason for fault in loaded.faults} == {
        "folder.png": "not an image: a folder, and no image was found or looked for in it "
        "(-r looks in its subfolders too)",
        "pipe.fits": "not an image: not a regular file",
        "pipe.png": "not an image: not a regular file",
        "zero.png": "not an image: not a regular file",
    }


@posix
def test_after_an_interrupt_no_further_file_is_begun(tmp_path: Path, monkeypatch):
    """Whatever raises it: the signal may come while a result is taken or while it is shown."""
    (tmp_path / "a.png").write_bytes(encoded(galaxy(1)))
    decode, numbers = labelled._decode, count()

    def counting(*arguments):
        next(numbers)
        return decode(*arguments)

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(labelled, "_decode", counting)
    with pytest.raises(KeyboardInterrupt):
        load([LabelledFile(tmp_path / "a.png", 0)] * 5000, STEPS, interrupt)
    assert next(numbers) < 2500


DECODING = """
import signal, sys
from pathlib import Path
from galaxy_edge.cli.application import _exit_on_signal
from galaxy_edge.inputs.preprocessing import Preprocessing
from galaxy_edge.inputs import labelled
from galaxy_edge_train.synthesis import reals

signal.signal(signal.SIGTERM, _exit_on_signal)
begun = lambda done, total=0: done == 1 and print("begun", flush=True)
folder = Path(sys.argv[1])
if sys.argv[2] == "labelled":
    files = [labelled.LabelledFile(path, 0) for path in sorted(folder.iterdir())]
    labelled.load(files, Preprocessing(size=24), begun)
else:
    reals.read([folder], Preprocessing(size=24), begun)
"""


@posix
@pytest.mark.parametrize("reader", ["labelled", "reals"])
def test_sigterm_stops_the_decoding(tmp_path: Path, reader: str):
    """A thousand large images: without the signal it takes a minute."""
    import numpy as np
    from PIL import Image

    folder = tmp_path / "many"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8)
    Image.fromarray(noise).save(folder / "0.png", compress_level=1)
    for number in range(1, 1000):
        os.link(folder / "0.png", folder / f"{number}.png")
    child = subprocess.Popen(
        [sys.executable, "-c", DECODING, folder, reader], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    sent = time.monotonic()
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (143, "")
    assert time.monotonic() - sent < 10


@posix
def test_a_pipe_in_place_of_a_folder_is_a_problem(tmp_path: Path):
    os.mkfifo(tmp_path / "data")
    assert scan(tmp_path / "data", ("Fake", "Real")) == (
        {},
        ["there is no such folder; check the path"],
    )


def test_the_first_folder_below_a_class_is_the_source(tmp_path: Path):
    for split in ("Train", "Valid"):
        for name in ("Fake/gan/early", "Fake/vae", "Real"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            (folder / "a.png").write_bytes(encoded(galaxy(1, 8)))
    found, problems = labelled.scan(tmp_path, ("Fake", "Real"))
    assert problems == []
    assert [(file.label, file.source) for file in found["Train"]] == [
        (0, "gan"), (0, "vae"), (1, ""),
    ]  # fmt: skip
