"""New names in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.watched.arrivals import Arrivals
from tests.systems import posix


def arrivals(folder: Path, **options) -> Arrivals:
    return Arrivals(folder, lambda name: name.endswith(".png"), **options)


def new(found: Arrivals) -> list[str]:
    return sorted(Path(path).name for path in found.new())


def test_each_wanted_name_comes_once(tmp_path: Path):
    for name in ("a.png", ".b.png", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "out.png").touch()
    found = arrivals(tmp_path, leave_out=frozenset({str(tmp_path / "out.png")}))
    assert new(found) == ["a.png"]
    assert new(found) == []
    (tmp_path / "d.png").touch()
    assert new(found) == ["d.png"]


def test_a_name_that_vanished_is_new_when_it_comes_again(tmp_path: Path):
    (tmp_path / "a.png").touch()
    found = arrivals(tmp_path)
    assert new(found) == ["a.png"]
    (tmp_path / "a.png").unlink()
    assert new(found) == []
    (tmp_path / "a.png").touch()
    assert new(found) == ["a.png"]
    # Moved away and replaced between two listings.
    found.forget(str(tmp_path / "a.png"))
    assert new(found) == ["a.png"]


def test_names_are_remembered_while_the_file_system_is_not_mounted(tmp_path: Path):
    folder, away = tmp_path / "in", tmp_path / "away"
    folder.mkdir()
    (folder / "a.png").touch()
    found = arrivals(folder)
    assert new(found) == ["a.png"]
    folder.rename(away)
    with pytest.raises(FileNotFoundError):
        found.new()
    folder.mkdir()  # the place where it was mounted
    assert new(found) == []
    folder.rmdir()
    away.rename(folder)
    assert new(found) == []


def test_a_listing_that_lacks_a_name_does_not_make_it_new(tmp_path: Path, monkeypatch):
    import os

    (tmp_path / "a.png").touch()
    found = arrivals(tmp_path)
    assert new(found) == ["a.png"]
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda folder: [])
        assert new(found) == []
    assert new(found) == []


@posix
def test_folders_below_come_with_recursive(tmp_path: Path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").touch()
    (tmp_path / "one" / "loop").symlink_to(tmp_path)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.png").touch()
    done = tmp_path / "done"
    done.mkdir()
    (done / "c.png").touch()
    assert new(arrivals(tmp_path)) == []
    found = arrivals(tmp_path, recursive=True, leave_out=frozenset({str(done)}))
    assert new(found) == ["a.png"]
    (tmp_path / "one" / "two").mkdir()
    (tmp_path / "one" / "two" / "d.png").touch()
    assert new(found) == ["d.png"]
    assert new(found) == []
    (tmp_path / "one" / "two" / "d.png").unlink()
    (tmp_path / "one" / "two").rmdir()
    assert new(found) == []


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="nowhere cannot be watched"):
        arrivals(tmp_path / "nowhere")
