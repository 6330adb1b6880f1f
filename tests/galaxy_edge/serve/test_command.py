"""`galaxy-edge serve` as a command: wrong options, signals, and a missing extra."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from tests.galaxy_edge.serve.servers import EXAMPLES, ROOT, Reply, Server, counted, parts

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--host", "0.0.0.0"], "give --token-file"),  # noqa: S104
        (["--host", "no.such.host.invalid"], "no address of this machine"),
        (["--host", "192.0.2.1", "--insecure"], "cannot listen on 192.0.2.1"),
        (["--max-size", "much"], "--max-size takes a size such as 32MB"),
        (["--max-size", "0"], "--max-size takes a size such as 32MB"),
        (["--timeout", "0"], "--timeout must be more than 0"),
        (["--token-file", "/nonexistent"], "cannot be read"),
    ],
)
def test_wrong_options(cli: Cli, options: list[str], reason: str):
    code, _, err = cli("serve", *options)
    assert code == 2
    assert reason in err


def test_a_model_that_does_not_exist(cli: Cli):
    code, _, err = cli("serve", "--port", "0", "-m", "/nonexistent.onnx")
    assert code == 3
    assert "/nonexistent.onnx" in err


def test_a_port_in_use(cli: Cli):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, err = cli("serve", "--port", port)
    assert code == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in err


def test_without_the_extra_it_says_how_to_install_it():
    code = (
        "import sys; sys.modules['uvicorn'] = None; from galaxy_edge.cli import main; "
        "main(['serve'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'galaxy-edge[serve]'" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_answers_what_was_accepted(start: Callable[..., Server], number: int):
    server = start()
    body, kind = parts(*[(path.name, path.read_bytes()) for path in EXAMPLES] * 30)
    half = len(body) // 2
    connection = server.connect()
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("Content-Type", kind)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:half])
    replies: list[Reply] = []
    asking = threading.Thread(
        target=lambda: replies.append(server.ask("POST", "/v1/predict", body, Content_Type=kind))
    )
    asking.start()
    # One request is being received, and one is being answered.
    while counted(server, "galaxy_edge_body_bytes") < half + len(body):
        assert not replies
    server.process.send_signal(number)
    connection.send(body[half:])
    answer = connection.getresponse()
    asking.join()
    for status, rows in ((answer.status, answer.read()), (replies[0].status, replies[0].body)):
        assert status == 200
        assert rows.count(b'"status": "ok"') == 30 * len(EXAMPLES)
    connection.close()
    assert server.process.wait(timeout=60) == 0
    with pytest.raises(ConnectionRefusedError):
        server.ask("GET", "/v2/health/live")


def test_ipv6(start: Callable[..., Server]):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert start("--host", "::1").ask("GET", "/v2/health/ready").status == 200
