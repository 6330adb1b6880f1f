"""File names with awkward characters, and full disks."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from galaxy_edge.outputs.text import csv_text
from tests.conftest import encoded, galaxy
from tests.systems import linux

COMMAND = [sys.executable, "-m", "galaxy_edge", "predict"]
NAMES = (
    b"line\nbreak.png",
    b"carriage\rreturn.png",
    b"tab\t.png",
    b"\"double\" and 'single'.png",
    b"comma, semicolon;.png",
    b"-m.png",
    b"--help.png",
    b" space .png",
    b"[a-z]*?.png",
    b"\x1b[31mred.png",
    b"\xff.png",
    "\u00e9\u2603.png".encode(),
    "\u2028.png".encode(),
)


@pytest.fixture
def bad(tmp_path, monkeypatch):
    """A working folder of files with awkward names: name -> whether it is bad."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        with open(name, "wb") as file:
            file.write(encoded(galaxy(number)) if number % 2 else b"bad")
    return {name: number % 2 == 0 for number, name in enumerate(NAMES)}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_awkward_names_are_read_back_unchanged(bad, tmp_path, form, to_file):
    output = tmp_path / f"rows.{form}"
    done = run(*COMMAND, ".", "--format", form, *(["-o", output] if to_file else []))
    assert done.returncode == 1
    content = output.read_bytes() if to_file else done.stdout
    text = content.decode("utf-8", "surrogateescape")
    if form == "jsonl":
        rows = [json.loads(line) for line in text.split("\n")[:-1]]
    else:
        cells = csv.DictReader(io.StringIO(text, newline=""))
        rows = [row | {"path": csv_text(row["path"])} for row in cells]
    assert len(rows) == len(bad)
    assert {os.fsencode(row["path"]): row["status"] == "error" for row in rows} == bad


def test_awkward_names_take_one_line_each_in_a_table(bad):
    done = run(*COMMAND, "--", *NAMES)
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()[1:]
    assert [line.startswith("error") for line in lines] == [*bad.values()]
    assert b"\x1b" not in done.stdout


@linux
@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
def test_a_full_disk_is_reported_with_the_path(bad, form):
    done = run(*COMMAND, ".", "-o", "/dev/full", "--format", form)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(b"galaxy-edge: /dev/full: No space left on device\n")
    assert b"Traceback" not in done.stderr


@linux
@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
def test_a_disk_that_fills_up_keeps_the_rows_before(bad, tmp_path, form):
    """A limit on the size of a file replaces the full disk; it is reached in the same way."""
    (tmp_path / "rows").mkdir()
    whole, cut = (tmp_path / "rows" / name for name in ("whole", "cut"))
    arguments = [*COMMAND, *["."] * 3, "--format", form, "-o"]
    assert run(*arguments, whole).returncode == 1
    limited = ["bash", "-c", 'ulimit -f 1 && exec "$0" "$@"', *arguments, cut]
    done = run(*limited, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 2
    assert done.stderr.endswith(f"galaxy-edge: {cut}: File too large\n".encode())
    assert b"Traceback" not in done.stderr
    assert whole.stat().st_size > cut.stat().st_size == 1024
    assert whole.read_bytes().startswith(cut.read_bytes())
