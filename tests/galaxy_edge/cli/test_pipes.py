"""Standard output that is closed, full, or a dumb terminal, and lists of paths on stdin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.systems import linux

pytestmark = linux
GALAXY_EDGE = f"{sys.executable} -m galaxy_edge"
COMMANDS = ("predict a.png b.png", "--help", "predict --help", "--version", "info", "verify")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(("a.png", "b.png")):
        (tmp_path / name).write_bytes(encoded(galaxy(seed)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)


def closed(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose stdout has no reader any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [*GALAXY_EDGE.split(), *command.split()], stdout=writing, stderr=subprocess.PIPE,
            check=False,
        )  # fmt: skip
    finally:
        os.close(writing)


@pytest.mark.parametrize("command", [*COMMANDS, "predict a.png absent.png --format jsonl"])
def test_a_reader_that_has_gone_gives_the_code_of_sigpipe(command: str):
    done = closed(command)
    assert (done.returncode, done.stderr) == (141, b"")


def test_head_does_not_look_like_failed_inputs():
    names = "a.png " * 2000
    done = bash(f"{GALAXY_EDGE} predict {names} --format jsonl | head -1; echo ${{PIPESTATUS[0]}}")
    row, code = done.stdout.splitlines()
    assert json.loads(row)["path"] == "a.png"
    assert (code, done.stderr) == ("141", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_full_is_reported(command: str):
    done = bash(f"{GALAXY_EDGE} {command} > /dev/full")
    assert (done.returncode, done.stderr) == (2, "galaxy-edge: No space left on device\n")


def test_an_error_keeps_its_code_if_the_reader_has_gone():
    assert closed("info absent.onnx").returncode == 3
    assert closed("predict --nonsense").returncode == 2


@pytest.mark.parametrize(
    ("term", "command"),
    [(term, command) for term in ("dumb", "xterm") for command in ("predict a.png", "--help")],
)
def test_a_dumb_terminal_gets_no_colour(term: str, command: str):
    import pty

    parent, child = pty.openpty()
    try:
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        subprocess.run(
            [*GALAXY_EDGE.split(), *command.split()], stdout=child, stderr=child, check=True,
            env=kept | {"TERM": term},
        )  # fmt: skip
        assert (b"\x1b" in os.read(parent, 100_000)) == (term == "xterm")
    finally:
        os.close(parent)
        os.close(child)


def test_paths_that_find_separates_by_nul():
    Path("new\nline.png").write_bytes(encoded(galaxy(3)))
    done = bash(
        f"find . -name '*.png' -print0 | sort -z | {GALAXY_EDGE} predict - -0 --format jsonl -q"
    )
    assert (done.returncode, done.stderr) == (0, "")
    paths = [json.loads(row)["path"] for row in done.stdout.splitlines()]
    assert paths == ["./a.png", "./b.png", "./new\nline.png"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("printf 'a.png\\0b.png\\0' | {} predict -", "add -0"),
        ("printf '\\xff\\xfea\\0\\n\\0' | {} predict -", "UTF-16"),
        ("{} predict a.png -0", "-0 needs"),
    ],
)
def test_a_list_of_another_kind_is_refused(script: str, words: str):
    done = bash(script.format(GALAXY_EDGE))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert words in done.stderr


def test_a_list_may_begin_with_a_byte_order_mark():
    done = bash(f"printf '\\xef\\xbb\\xbfa.png\\r\\nb.png\\r\\n' | {GALAXY_EDGE} predict -")
    assert (done.returncode, "0 failed" in done.stderr) == (0, True)


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
def test_a_model_file_without_an_end_is_refused(kind: str):
    if kind == "pipe":
        os.mkfifo(kind)
    for command in (f"predict a.png -m {kind}", f"verify {kind}"):
        done = bash(f"timeout 30 {GALAXY_EDGE} {command}")
        assert done.returncode == 3
        assert f"{kind} cannot be used: it is not a regular file" in done.stderr


def test_a_minus_as_output_is_stdout(folder: Path):
    done = bash(f"{GALAXY_EDGE} predict a.png b.png -o - --format csv")
    assert len(done.stdout.splitlines()) == 1 + 2
    assert not (folder / "-").exists()


def test_a_file_that_is_no_model_is_said_to_be_none():
    done = bash(f"{GALAXY_EDGE} predict a.png -m b.png")
    assert done.returncode == 3
    assert "b.png cannot be used: it is not an ONNX file, or it is damaged" in done.stderr
