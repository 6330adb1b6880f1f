"""What a run folder keeps after a power cut: every file is on the disk before it is relied on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from galaxy_edge import files
from galaxy_edge_train.run import Run, State


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is done to the disk, in order: ("sync" or "rename", name)."""
    done: list[tuple[str, str]] = []
    fsync, replace, rename = os.fsync, os.replace, Path.rename

    def recording_fsync(handle: int) -> None:
        fsync(handle)
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}")).name))

    def recording_replace(source: Path, target: Path) -> None:
        replace(source, target)
        done.append(("rename", Path(target).name))

    def recording_rename(source: Path, target: Path) -> Path:
        done.append(("rename", Path(target).name))
        return rename(source, target)

    monkeypatch.setattr(files.os, "fsync", recording_fsync)
    monkeypatch.setattr(files.os, "replace", recording_replace)
    monkeypatch.setattr(Path, "rename", recording_rename)
    return done


def begun(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    run.start({"epochs": 1}, {"digest": "ab"}, resume=False)
    for name in ("last-1.keras", "best-1.weights.h5"):
        (run.checkpoints / name).write_bytes(b"weights")
    return run


def commit(run: Run) -> None:
    row = {"epoch": 1.0, "loss": 0.5}
    run.commit(State((row,), "last-1.keras", "best-1.weights.h5", (), "keras"), [row])


def test_checkpoints_are_on_the_disk_before_the_state_names_them(tmp_path: Path, events):
    run = begun(tmp_path)
    events.clear()
    commit(run)
    state = events.index(("rename", "state.json"))
    for name in ("last-1.keras", "best-1.weights.h5", "checkpoint"):
        assert ("sync", name) in events[:state]
    assert ("sync", "checkpoint") in events[state:]


def test_a_finished_run_is_on_the_disk_before_it_is_renamed(tmp_path: Path, events):
    run = begun(tmp_path)
    commit(run)
    (run.partial / "model.keras").write_bytes(b"model")
    (run.partial / "Train" / "Real").mkdir(parents=True)
    (run.partial / "Train" / "Real" / "00001.png").write_bytes(b"pixels")
    events.clear()
    assert run.finish() == tmp_path / "run"
    renamed = events.index(("rename", "run"))
    for name in ("model.keras", "00001.png", "Real", "Train", "run.partial"):
        assert ("sync", name) in events[:renamed]
    assert events[renamed + 1 :] == [("sync", tmp_path.name)]


def test_a_replaced_file_is_on_the_disk_with_its_name(tmp_path: Path, events):
    """The checkpoint of a generator is written in this way."""
    with files.replacing(tmp_path / "vae.npz") as path:
        path.write_bytes(b"weights")
        temporary = path.name
    assert events == [("sync", temporary), ("rename", "vae.npz"), ("sync", tmp_path.name)]


def test_a_folder_that_cannot_be_opened_is_no_error(tmp_path: Path, monkeypatch):
    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.os, "open", refuse)
    files.sync(tmp_path)
