"""When a file in a watched folder is complete."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from galaxy_edge.inputs.watched.settling import Settling, state_of
from tests.systems import posix


def write(path: Path, text: str, *, time: int) -> None:
    """Write a file and give it a time far in the future, so that it was not renamed."""
    path.write_text(text)
    os.utime(path, (time, time))


LATER = 4 * 10**9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    write(path, "half", time=LATER)
    return path


def complete(settling: Settling, now: float) -> list[str]:
    return [Path(path).name for path, _, _ in settling.complete(now)]


def test_a_file_is_complete_when_it_has_not_changed_for_the_time(file: Path):
    settling = Settling(2)
    settling.add([str(file)], 10)
    assert complete(settling, 11.9) == []
    assert complete(settling, 12) == ["a.png"]
    assert len(settling) == 0


@pytest.mark.parametrize("change", ["size", "time", "another file"])
def test_every_change_begins_the_wait_again(file: Path, change: str):
    settling = Settling(2)
    settling.add([str(file)], 10)
    if change == "size":
        write(file, "whole", time=LATER)
    elif change == "time":
        write(file, "HALF", time=LATER + 1)
    else:
        other = file.with_name("b")
        write(other, "half", time=LATER)
        other.replace(file)
    assert complete(settling, 11) == []
    assert complete(settling, 12.9) == []
    assert complete(settling, 13) == ["a.png"]


def test_a_renamed_file_is_complete_at_once(file: Path):
    os.utime(file, (1, 1))  # long before its inode changed
    settling = Settling(60)
    settling.add([str(file)], 10)
    assert complete(settling, 10) == []
    ((path, state, renamed),) = settling.complete(10.1)
    assert (path, renamed) == (str(file), True)
    assert state == state_of(path)
    # It could not be read, so it must settle like any other.
    settling.put_back(path, 10.2)
    assert complete(settling, 70.1) == []
    assert complete(settling, 70.2) == ["a.png"]


def test_a_renamed_file_that_still_changes_is_not_complete(file: Path):
    os.utime(file, (1, 1))
    settling = Settling(60)
    settling.add([str(file)], 10)
    write(file, "whole", time=2)
    assert complete(settling, 11) == []
    assert complete(settling, 70.9) == []
    assert complete(settling, 71) == ["a.png"]


def test_files_that_vanish_are_dropped_and_reported(file: Path):
    gone = []
    settling = Settling(2, vanished=gone.append)
    settling.add([str(file), "nowhere.png"], 0)
    file.unlink()
    assert complete(settling, 3) == []
    settling.put_back(str(file), 3)
    assert gone == ["nowhere.png", str(file), str(file)]
    assert len(settling) == 0


def test_an_empty_file_is_not_complete_unless_asked(file: Path):
    write(file, "", time=LATER)
    waiting, once = Settling(2), Settling(2, empty=True)
    for settling in (waiting, once):
        settling.add([str(file)], 0)
    assert complete(waiting, 1000) == []
    assert complete(once, 2) == ["a.png"]
    write(file, "x", time=LATER)
    assert complete(waiting, 1001) == []
    assert complete(waiting, 1003) == ["a.png"]


def test_the_oldest_file_comes_first(tmp_path: Path):
    for name, when in (("a", LATER + 2), ("b", LATER), ("c", LATER + 1)):
        write(tmp_path / name, "x", time=when)
    settling = Settling(2)
    settling.add([str(tmp_path / name) for name in "abc"], 0)
    assert complete(settling, 2) == ["b", "c", "a"]


def test_a_container_is_never_taken_early(tmp_path: Path):
    write(tmp_path / "a.tar", "x", time=1)
    settling = Settling(2)
    settling.add([str(tmp_path / "a.tar")], 0)
    assert complete(settling, 1.9) == []
    assert complete(settling, 2) == ["a.tar"]


@posix
def test_a_path_that_cannot_be_followed_is_taken_for_its_error(tmp_path: Path):
    (tmp_path / "a.png").symlink_to("a.png")
    settling = Settling(2)
    settling.add([str(tmp_path / "a.png")], 0)
    assert complete(settling, 2) == ["a.png"]


def test_a_file_that_is_found_late_has_waited_since_it_came(file: Path):
    file.write_text("written, and not renamed")
    time.sleep(0.3)
    found = Settling(2)
    found.add([str(file)], 10, late=0.2)
    assert complete(found, 11.79) == []
    assert complete(found, 11.81) == ["a.png"]
    # A clock that is wrong changes nothing.
    write(file, "half", time=LATER)
    future = Settling(2)
    future.add([str(file)], 10, late=0.2)
    assert complete(future, 11.9) == []
    assert complete(future, 12) == ["a.png"]
