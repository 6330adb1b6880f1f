"""The page "Service and page": its commands, snippets and unit work."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.following import commands_in
from tests.galaxy_edge.serve.servers import ROOT, Server
from tests.pages import Step, steps

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
PLACE = "127.0.0.1:8000"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    assert started.end(signal.SIGTERM) == 0


def printed(snippet: Step, server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(ROOT)
    out = io.StringIO()
    here = snippet.text.replace(PLACE, f"127.0.0.1:{server.port}")
    with contextlib.redirect_stdout(out):
        exec(compile(here, "serve.md", "exec"), {})  # noqa: S102 - our own page
    return out.getvalue()


def test_the_first_command_is_the_one_that_the_other_tests_start():
    (step,) = steps("docs/serve.md", "Service and page")
    assert commands_in(step.text) == [["serve"]], "Server() adds only another port"


def test_the_requests_of_the_page(server: Server):
    if shutil.which("curl") is None:
        pytest.skip("this machine has no curl")
    found = []
    for step in steps("docs/serve.md", "Requests", language="sh"):
        words = shlex.split(step.text.replace(PLACE, f"127.0.0.1:{server.port}"))
        done = subprocess.run([*words, "-s"], capture_output=True, cwd=ROOT, check=True)
        found.append(json.loads(done.stdout))
    one, several = found
    assert one["label"] == "Fake"
    assert [row["id"] for row in several] == ["gan_0.png", "vae_0.png"]


def test_the_python_of_the_page(server: Server, monkeypatch: pytest.MonkeyPatch):
    (snippet,) = steps("docs/serve.md", "Requests", language="python")
    assert re.fullmatch(r"M51 ok Fake \S+\n", printed(snippet, server, monkeypatch))


def test_the_client_of_triton_of_the_page(server: Server, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    (snippet,) = steps("docs/serve.md", "KServe and Triton")
    assert printed(snippet, server, monkeypatch).startswith("[b'Fake' b'Fake' b'Fake' b'Fake'] [")


def test_the_unit_of_the_page(tmp_path: Path):
    (step,) = steps("docs/serve.md", "systemd")
    text = step.text
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read_string(text)
    program, command, *words = shlex.split(unit["Service"]["ExecStart"])
    assert (program.rpartition("/")[2], command) == ("galaxy-edge", "serve")
    (tmp_path / "token").write_text("0123456789abcdef")
    server = Server(*[word.replace("%d", str(tmp_path)) for word in words])
    assert server.ask("GET", "/v1/model").status == 401
    assert server.end(signal.SIGTERM) == 0
    if (systemd := shutil.which("systemd-analyze")) is not None:
        path = tmp_path / "galaxy-edge.service"
        path.write_text(text.replace(program, "/bin/true"))
        done = subprocess.run(
            [systemd, "verify", path], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_picture_is_small():
    assert (ROOT / "docs" / "serve.png").stat().st_size < 200_000
