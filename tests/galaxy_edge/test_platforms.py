"""What Windows and macOS do differently, simulated on this system."""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from galaxy_edge.benchmark import memory
from galaxy_edge.cli import application, faults, stopping
from galaxy_edge.errors import UsageError
from galaxy_edge.files import replacing, sync
from galaxy_edge.inputs import blocks, paths
from galaxy_edge.outputs.output import opened
from galaxy_edge.outputs.resume import Origin
from galaxy_edge.survey.store import Folder
from tests.systems import posix

pytestmark = posix
fcntl = pytest.importorskip("fcntl", reason="simulates Windows with the locks of POSIX")
ORIGIN = Origin(("Fake", "Real"), "0" * 64, 0.5)


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOTSOCK, "an operation was attempted on something that is not a socket")


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        yield source, sink


@pytest.mark.parametrize("has_select", [True, False])
def test_a_list_on_stdin_is_read_as_it_comes(pipe, monkeypatch, has_select: bool):
    """Windows selects only sockets; a thread reads there."""
    if not has_select:
        monkeypatch.setattr(select, "select", refuse)
    source, sink = pipe
    found = paths._listed(source, null=False)
    sink.write(b"a.png\nb.png\nc")
    assert [next(found), next(found)] == ["a.png", "b.png"]
    # Nothing is at hand, so what was taken can be finished now.
    assert next(found) is None
    sink.write(b".png\n")
    assert next(found) == "c.png"
    sink.close()
    assert [name for name in found if name is not None] == []


def test_a_read_that_fails_in_the_thread_is_raised(monkeypatch):
    def broken(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(select, "select", refuse)
    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(OSError, match="Input/output"):
        list(blocks.blocks(sys.__stdin__.buffer))


def test_the_thread_does_not_read_far_ahead(pipe, monkeypatch):
    monkeypatch.setattr(select, "select", refuse)
    monkeypatch.setattr(blocks, "_BLOCK", 1)
    source, sink = pipe
    sink.write(b"0123456789" * 10)
    found = blocks.blocks(source)
    assert next(found) == b"0"
    sink.close()
    rest = b"".join(block for block in found if block)
    assert rest == (b"0123456789" * 10)[1:]
    assert not [one for one in threading.enumerate() if one.name.endswith("(_fill)")]


def test_a_list_in_another_encoding_is_refused_where_paths_are_text(monkeypatch):
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match="not UTF-8"):
        list(paths._listed(io.BytesIO("galaxie-é.png\n".encode("cp1252")), null=False))


@pytest.fixture
def windows_locks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Locks as Python has them on Windows, made of those of this system."""
    places = []

    def locking(handle: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        places.append(os.lseek(handle, 0, os.SEEK_CUR))
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    windows = SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    return places


def test_two_runs_cannot_write_to_one_output_on_windows(tmp_path: Path, windows_locks: list[int]):
    path = tmp_path / "rows.jsonl"
    with (
        opened(path, "jsonl", ORIGIN, resuming=False),
        pytest.raises(UsageError, match="another run"),
        opened(path, "jsonl", ORIGIN, resuming=True),
    ):
        pass
    assert min(windows_locks) > 1 << 32
    assert path.stat().st_size == 0


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL])
def test_a_survey_without_hard_links(tmp_path: Path, monkeypatch, number: int):
    def link(*_: object) -> None:
        raise OSError(number, "this file system has no links")

    monkeypatch.setattr(os, "link", link)
    store = Folder(tmp_path)
    assert store.create("ledger/a.json", b"1")
    assert not store.create("ledger/a.json", b"2")

    # Another run names the file between the look and the renaming, which Windows refuses.
    def rename(self: Path, target: Path) -> None:
        raise FileExistsError(errno.EEXIST, "exists", str(target))

    monkeypatch.setattr(Path, "rename", rename)
    assert not store.create("ledger/b.json", b"3")
    assert store.read("ledger/a.json") == b"1"
    assert [*store.names("ledger")] == ["a.json"]


def test_a_folder_that_cannot_be_opened_is_not_synchronised(tmp_path: Path, monkeypatch):
    def denied(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(os, "open", denied)
    sync(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError):
        sync(tmp_path / "file")


def test_ctrl_break_ends_a_command_like_sigterm(monkeypatch):
    # A signal of this system stands in for Ctrl-Break, which only Windows has.
    monkeypatch.setattr(stopping, "ENDINGS", (signal.SIGTERM, signal.SIGUSR1))
    with stopping.stopping() as stop:
        signal.raise_signal(signal.SIGUSR1)
        assert stop()
        with pytest.raises(typer.Exit) as ending:
            stop.exit_if_asked()
    assert ending.value.exit_code == 128 + signal.SIGUSR1
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("system", "error", "lost"),
    [
        ("posix", BrokenPipeError(errno.EPIPE, "Broken pipe"), True),
        ("nt", BrokenPipeError(errno.EPIPE, "Broken pipe"), True),
        ("nt", OSError(errno.EINVAL, "Invalid argument"), True),
        ("posix", OSError(errno.EINVAL, "Invalid argument"), False),
        ("nt", OSError(errno.EINVAL, "Invalid argument", "a?.png"), False),
        ("nt", OSError(errno.ENOSPC, "No space left"), False),
        ("nt", ValueError("Invalid argument"), False),
    ],
)
def test_a_reader_that_has_gone(monkeypatch, system: str, error: Exception, lost: bool):
    monkeypatch.setattr(faults, "os", SimpleNamespace(name=system))
    assert faults.has_lost_reader(error) is lost


def test_a_letter_that_the_output_lacks_is_escaped(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit):
        application.run(["info", "absent-\N{SNOWMAN}.onnx"])
    typer.echo("runs/\N{SNOWMAN}")
    stream.flush()
    assert stream.buffer.getvalue().split() == [rb"runs/\u2603"]


def test_what_is_not_measured_is_none(monkeypatch):
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory.peak_bytes() is None


def test_a_link_to_itself_is_refused_by_every_python(tmp_path: Path, monkeypatch):
    (tmp_path / "loop").symlink_to("loop")
    # What Python 3.13 does.
    monkeypatch.setattr(Path, "resolve", lambda path: Path(os.path.realpath(path)))
    with pytest.raises(OSError, match="link to itself"), replacing(tmp_path / "loop"):
        pass
    assert (tmp_path / "loop").is_symlink()
