"""`galaxy-edge watch --on-verdict`: a command for each row."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.galaxy_edge.cli.watching import Watching, rows_of
from tests.systems import posix

Cli = Callable[..., tuple[int, str, str]]
pytestmark = posix


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe: while a command lives that opened it for writing, reading it does not end."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def ends(reading: int) -> bool:
    """Whether every writer of a pipe ends, at once or soon."""
    return bool(select.select([reading], [], [], 60)[0]) and os.read(reading, 1) == b""


def test_a_command_is_run_for_each_verdict(
    model_file: Path, folder: Path, tmp_path: Path, cli: Cli
):
    name = "a; touch b 'c.png"
    (folder / name).write_bytes(encoded(galaxy(1)))
    code = "import sys; open(sys.argv[1], 'w').write(repr((sys.argv[2:], sys.stdin.read())))"
    command = f'{sys.executable} -c "{code}" {tmp_path}/ran {{label}}:{{path}} {{error}}'
    options = ("-m", model_file, "-o", tmp_path / "x.jsonl", "--once", "--settle", "0")
    assert cli("watch", folder, *options, "--on-verdict", command)[0] == 0
    words, text = eval((tmp_path / "ran").read_text())  # noqa: S307 - written above
    (row,) = rows_of(tmp_path / "x.jsonl")
    assert words == [f"{row['label']}:{folder / name}", ""]
    assert json.loads(text) == row
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("nowhere/program {path}", "there is no such program"),
        ("echo {lable}", "a row has no column lable; it has id, path"),
        ("echo 'x", "No closing quotation"),
    ],
)
def test_a_command_that_cannot_run_is_refused(folder: Path, cli: Cli, command: str, message: str):
    code, _, err = cli("watch", folder, "--once", "--on-verdict", command)
    assert code == 2
    assert message in err


def test_a_command_that_fails_is_a_note(model_file: Path, folder: Path, cli: Cli):
    (folder / "a.png").write_bytes(encoded(galaxy(1)))
    options = ("-m", model_file, "--once", "--settle", "0", "--format", "jsonl")
    code, out, err = cli("watch", folder, *options, "--on-verdict", "sh -c 'echo noise; exit 3'")
    assert code == 0
    assert json.loads(out)["status"] == "ok"
    assert "sh failed with the exit code 3 for " in err


def test_a_command_that_hangs_is_killed_with_its_children(
    model_file: Path, folder: Path, tmp_path: Path, pipe: Path, cli: Cli
):
    for name in "ab":
        (folder / f"{name}.png").write_bytes(encoded(galaxy(1)))
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    command = f"sh -c 'echo started >> {tmp_path}/log; sleep 1000 > {pipe} & wait'"
    options = ("-m", model_file, "-o", tmp_path / "x.jsonl", "--once", "--settle", "0")
    limit = ("--on-verdict", command, "--on-verdict-timeout", "0.5")
    code, _, err = cli("watch", folder, *options, *limit)
    assert code == 0
    assert [Path(row["path"]).name for row in rows_of(tmp_path / "x.jsonl")] == ["a.png", "b.png"]
    assert (tmp_path / "log").read_text() == "started\n" * 2
    for name in "ab":
        assert f"sh was killed after 0.5 s for {folder}/{name}.png" in err
    assert ends(reading)
    os.close(reading)


def test_a_second_signal_kills_the_command_too(
    model_file: Path, folder: Path, tmp_path: Path, pipe: Path
):
    (folder / "a.png").write_bytes(encoded(galaxy(1)))
    command = f"sh -c 'sleep 1000 > {pipe} & wait'"
    watching = Watching(model_file, folder, tmp_path / "x.jsonl", "--on-verdict", command)
    reading = os.open(pipe, os.O_RDONLY)  # This waits until the command has begun.
    watching.process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        watching.process.wait(0.5)
    assert watching.end(signal.SIGTERM)[0] == 143
    assert len(rows_of(tmp_path / "x.jsonl")) == 1
    assert ends(reading)
    os.close(reading)


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf"])
def test_a_limit_without_sense_is_refused(folder: Path, cli: Cli, limit: str):
    options = ("--once", "--on-verdict", "true", "--on-verdict-timeout", limit)
    code, _, err = cli("watch", folder, *options)
    assert code == 2
    assert f"--on-verdict-timeout must be more than 0 and at most 86400 seconds, not {limit}" in err
