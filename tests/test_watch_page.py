"""The page "Watched folder": its commands and its unit work, on drawn and on real images."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.following import follow
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
COUNT = 20


@pytest.fixture(params=["drawn", "real"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    if request.param == "real":
        folder = request.getfixturevalue("shared") / "galaxies64" / "Valid" / "Real"
        for path in sorted(folder.iterdir())[:COUNT]:
            shutil.copyfile(path, incoming / f"{path.stem}.jpg")
    else:
        for seed in range(COUNT):
            (incoming / f"{seed}.png").write_bytes(encoded(galaxy(seed, 64)))
    return tmp_path


def test_the_commands_of_the_page_run(folder: Path, cli: Cli, capfd: pytest.CaptureFixture[str]):
    # The first one runs until it is stopped.
    ending = {"watch": ["--once", "--settle", "0.1"]}
    follow(steps("docs/watch.md", "KStars and Ekos"), cli)
    follow(steps("docs/watch.md", "Watched folder"), cli, ending)
    rows = [json.loads(line) for line in Path("night.jsonl").read_text().splitlines()]
    assert len(rows) == COUNT
    assert not [row for row in rows if row["status"] == "error"]
    frames = Path("frames.csv").read_text().splitlines()
    assert sorted(line.split(",")[0] for line in frames[1:]) == sorted(row["id"] for row in rows)
    (folder / "incoming" / "new.png").write_bytes(encoded(galaxy(99, 64)))
    (done,) = follow(steps("docs/watch.md", "Commands"), cli, ending)
    assert len(Path("night.jsonl").read_text().splitlines()) == COUNT + 1
    assert len([*Path("done").iterdir()]) == COUNT + 1
    assert re.search(r"^(Fake|Real)? ?\d\S* incoming/new\.png$", done.err, re.MULTILINE)


def test_the_unit_of_the_page_starts_a_command_that_exists(tmp_path: Path, cli: Cli):
    (step,) = steps("docs/watch.md", "systemd")
    text = step.text
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read_string(text)
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/bin/galaxy-edge")
    moved = [word.replace("/data", str(tmp_path)) for word in words]
    (tmp_path / "incoming").mkdir()
    assert cli(*moved, "--once")[0] == 0
    if (systemd := shutil.which("systemd-analyze")) is not None:
        path = tmp_path / "galaxy-edge.service"
        path.write_text(text.replace(program, "/bin/true").replace("observer", "root"))
        command = [systemd, "verify", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
