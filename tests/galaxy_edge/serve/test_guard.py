"""Only clients with the token, or programs and pages of this machine, are answered."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from galaxy_edge.errors import UsageError
from galaxy_edge.serve.guard import Guard
from galaxy_edge.serve.running import Place, listening, read_token
from tests.galaxy_edge.serve.servers import EXAMPLES, Server, call

TOKEN = "0123456789abcdef"  # noqa: S105
GOOD = EXAMPLES[0].read_bytes()
EVERY_PATH = ("/v1/model", "/metrics", "/v2", "/v2/models/galaxy-edge", "/nothing", "/v1/predict",
              "/v2/models/galaxy-edge/ready")  # fmt: skip


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def test_with_a_token_all_but_health_and_the_page_need_it(
    start: Callable[..., Server], token_file: Path
):
    server = start("--host", "0.0.0.0", "--token-file", token_file)  # noqa: S104
    server.host = "127.0.0.1"
    for path in ("/v2/health/live", "/v2/health/ready", "/"):
        assert server.ask("GET", path).status == 200
    assert b'data-token="yes"' in server.ask("GET", "/").body
    for path in EVERY_PATH:
        reply = server.ask("GET", path)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer"), path
    for wrong in (TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", "Bearer \xff", "Bearer "):
        assert server.ask("POST", "/v1/predict", GOOD, Authorization=wrong).status == 401, wrong
    for right in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        # The names and origins of a proxy are fine: nobody else knows the token.
        headers = {"Authorization": right, "Host": "galaxies.org", "Origin": "https://galaxies.org"}
        assert server.ask("POST", "/v1/predict", GOOD, **headers).status == 200
    assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "127.1.2.3"}, 200),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "[::"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8001"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
def test_pages_of_others_are_refused(server: Server, headers: dict[str, str], status: int):
    reply = server.ask("POST", "/v1/predict", GOOD, **headers)
    assert reply.status == status
    if status == 403:
        assert (
            "does not answer to pages" in reply.json()["error"]
            or "only to local" in (reply.json()["error"])
        )
        assert "access-control-allow-origin" not in reply.headers


def test_without_names_only_the_origin_is_checked():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def status(**headers: str) -> int:
        return (await call(Guard(app, None, None), "GET", "/", headers=headers)).status

    assert asyncio.run(status(host="telescope:8000")) == 200
    assert asyncio.run(status(host="telescope:8000", origin="http://evil.example")) == 403


def test_answers_do_not_wait_for_the_kernel_of_the_client():
    # asyncio sets TCP_NODELAY only for this protocol.
    with listening(Place(port=0)) as opened:
        assert opened.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_other_machines_need_a_token(host: str):
    with pytest.raises(UsageError, match=r"--token-file.*--insecure"):
        listening(Place(host, 0))


@pytest.mark.parametrize("more", [{"token": TOKEN}, {"insecure": True}])
def test_with_a_token_or_explicitly_others_may_ask(more: dict[str, object]):
    with listening(Place("0.0.0.0", 0, **more)) as opened:  # noqa: S104
        assert opened.getsockname()[0] == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(
    "content", ["", "short", "twenty characters é", "two words of length", "a" * 20 + "\nb"]
)
def test_a_token_that_could_be_guessed_or_mistyped_is_refused(tmp_path: Path, content: str):
    (tmp_path / "token").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="openssl rand"):
        read_token(tmp_path / "token")


def test_a_token_file_that_is_missing(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path / "token")
