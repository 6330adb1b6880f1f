"""Help, errors, tables and progress on all kinds of terminals, and in pipes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy

termios = pytest.importorskip("termios", reason="Windows has no pseudo-terminals of this kind")

BOXES = re.compile("[\u2500-\u259f]")
#: Bold text is no colour.
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)\d[;m]")
CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
#: Variables that change what Rich, Typer and Click believe about the terminal.
KEPT = ("COLUMNS", "LINES", "NO_COLOR", "TERM", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")
HELP = ("--help", "predict --help", "train --help", "export --help", "survey --help")


def environment(**variables: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in KEPT} | variables


def piped(command: str, **variables: str) -> str:
    """What a command writes to pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_edge", *command.split()],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, encoding="utf-8",
        env=environment(**variables),
    )  # fmt: skip
    return done.stdout


def on_a_terminal(command: str | list[str], columns: int = 100, **variables: str) -> str:
    """What a command, or Python with some arguments, writes to a terminal."""
    import pty

    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (40, columns))
    if isinstance(command, str):
        command = ["-m", "galaxy_edge", *command.split()]
    with subprocess.Popen(
        [sys.executable, *command],
        stdin=child, stdout=child, stderr=child,
        env=environment(**({"TERM": "xterm-256color"} | variables)),
    ):  # fmt: skip
        os.close(child)
        text = b""
        while block := _read(parent):
            text += block
    os.close(parent)
    return text.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # on Linux, when the command has ended
        return b""


def widest(text: str) -> int:
    """The length of the longest line, without control characters."""
    return max(len(CONTROL.sub("", line)) for line in re.split("[\r\n]+", text))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(40):
        (tmp_path / f"{number:02}.png").write_bytes(encoded(galaxy(number)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", [*HELP, "predict --nonsense", "predict a.png --threads x"])
def test_nothing_is_drawn_or_coloured_in_a_pipe(command: str):
    # Typer takes a build server for a terminal.
    text = piped(command, GITHUB_ACTIONS="true", FORCE_COLOR="1")
    assert "--" in text
    assert not BOXES.search(text)
    assert not CONTROL.search(text)


@pytest.mark.parametrize("command", [*HELP, "predict --nonsense"])
def test_a_wide_terminal_shows_boxes_in_colour(command: str):
    text = on_a_terminal(command)
    assert BOXES.search(text)
    assert COLOUR.search(text)
    assert widest(text) <= 100


@pytest.mark.parametrize("command", ["--help", "predict --help", "predict --nonsense"])
def test_a_dumb_terminal_shows_plain_text(command: str):
    text = on_a_terminal(command, TERM="dumb")
    assert "--" in text
    assert not BOXES.search(text)
    assert not CONTROL.search(text)


@pytest.mark.parametrize("command", ["--help", "predict --nonsense", "predict absent.png"])
def test_no_colour_if_the_user_wants_none(command: str):
    text = on_a_terminal(command, NO_COLOR="1")
    assert len(text) > 100
    assert not COLOUR.search(text)


@pytest.mark.parametrize("command", HELP)
def test_help_fits_40_columns_and_is_complete(command: str):
    text = on_a_terminal(command, columns=40)
    assert widest(text) <= 40
    assert "".join(text.split()) == "".join(piped(command).split())


def test_help_has_the_same_options_in_80_columns_with_boxes():
    options = re.compile(r" (--[a-z][a-z0-9-]*[a-z0-9])\s")
    for command in HELP:
        text = CONTROL.sub("", on_a_terminal(command, columns=80))
        assert BOXES.search(text)
        assert {*options.findall(text)} >= {*options.findall(piped(command))}, command


@pytest.mark.parametrize("columns", [40, 100])
def test_rows_on_a_terminal_are_never_cut_off(images: Path, columns: int):
    long = "a-cutout-with-a-name-that-does-not-fit-40-columns.png"
    (images / long).write_bytes(encoded(galaxy(1)))
    text = on_a_terminal(f"predict {long}", columns)
    assert long in text
    assert not BOXES.search(text)
    assert COLOUR.search(text)
    assert not COLOUR.search(on_a_terminal(f"predict {long}", columns, NO_COLOR="1"))


PROGRESS = """
import time
from galaxy_edge.cli.progress import ticking
with ticking(shown=True, total={total}) as tick:
    for _ in range(5):
        tick()
        time.sleep(0.12)
"""


@pytest.mark.parametrize("total", [None, 1234567])
@pytest.mark.parametrize("columns", [40, 100])
def test_progress_fits_one_line(columns: int, total: int | None):
    text = on_a_terminal(["-c", PROGRESS.format(total=total)], columns)
    shown = [line for line in re.split("[\r\n]+", text) if "images" in line]
    assert any("5 of 1234567" if total else "5 images" in line for line in shown)
    assert widest(text) <= columns
    # A second line would need the cursor to go up.
    assert not re.search(r"\x1b\[[2-9]A", text)


def test_progress_without_colour_on_a_dumb_terminal_and_in_a_pipe(images: Path):
    text = on_a_terminal("predict . -o rows.csv", NO_COLOR="1")
    assert CONTROL.search(text)
    assert not COLOUR.search(text)
    assert not CONTROL.search(on_a_terminal("predict . -o dumb.csv", TERM="dumb"))
    text = piped("predict . -o piped.csv", GITHUB_ACTIONS="true")
    assert not CONTROL.search(text)
    assert not BOXES.search(text)


@pytest.mark.parametrize(("columns", "boxes"), [(40, False), (100, True)])
def test_the_table_of_an_export(columns: int, boxes: bool):
    code = """
from types import SimpleNamespace as Some
from galaxy_edge.cli.export import _show
rows = [Some(name="fp32", size=42_000_000, single=4.0, batch=2.0)]
rows += [Some(name="fp16", size=21_000_000, single=2.0, batch=1.0)]
_show(Some(rows=rows, cost=None, source="Keras", parity=1e-6, verdicts=None, notes=[]))
"""
    text = on_a_terminal(["-c", code], columns)
    assert "largest difference" in text
    assert "(2.00x)" in text
    assert bool(BOXES.search(text)) == boxes
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8",
        env=environment(),
    )  # fmt: skip
    assert "2.00 ms (2.00x)" in done.stderr
    assert not BOXES.search(done.stderr)
