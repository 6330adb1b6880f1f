"""Slow, broken and greedy clients are refused, and do no harm to others."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

from galaxy_edge import Predictor
from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.serve.application import application
from galaxy_edge.serve.limits import Limits, size
from galaxy_edge.serve.service import Service
from tests.galaxy_edge.serve.servers import EXAMPLES, Reply, Server, call, counted, parts

GOOD = EXAMPLES[0].read_bytes()


def received(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize(
    ("text", "count"),
    [("32MB", 32_000_000), ("1.5 kb", 1500), ("2GiB", 2**31), ("4096", 4096), ("1m", 10**6)],
)
def test_sizes(text: str, count: int):
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1TB", "0", "0.1B", "nan", "1e3"])
def test_what_is_no_size(text: str):
    with pytest.raises(UsageError, match="such as 32MB"):
        size(text)


def test_a_body_that_does_not_come_is_refused(server: Server):
    with socket.create_connection((server.host, server.port)) as slow:
        slow.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab")
        answer = received(slow)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive in 1 s" in answer


@pytest.mark.parametrize("start", [b"", b"POST /v1/pre", b"POST / HTTP/1.1\r\nHost: loc"])
def test_headers_that_do_not_come_end_the_connection(server: Server, start: bytes):
    with socket.create_connection((server.host, server.port)) as slow:
        slow.sendall(start)
        assert received(slow) == b""


def test_an_idle_connection_ends_after_its_answer(server: Server):
    with socket.create_connection((server.host, server.port)) as idle:
        idle.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v")
        answer = received(idle)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_is_not_read_ends_the_connection(start: Callable[..., Server]):
    # A busy machine needs more than a second to send this body.
    server = start("--timeout", "3")
    body = b"".join(b'{"image": "", "id": "%s"}\n' % (b"n" * 30_000) for _ in range(900))
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((server.host, server.port))
        head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jsonl\r\n"
        deaf.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        end = time.monotonic() + 30
        while counted(server, "galaxy_edge_body_bytes") == 0:
            assert time.monotonic() < end
        while counted(server, "galaxy_edge_body_bytes") > 0:
            assert time.monotonic() < end
        # Too much for the buffers in between: the rest waits in the server, but not for ever.
        time.sleep(5)
        assert len(received(deaf)) < len(body)


def test_a_large_body_without_a_length_is_refused(server: Server):
    def chunks():
        for _ in range(30):
            yield b"a" * 10_000

    connection = server.connect()
    connection.request("POST", "/v1/predict", chunks(), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.headers["Connection"] == "close"
    connection.close()


def test_a_client_that_waits_for_100_is_refused_at_once(server: Server):
    with socket.create_connection((server.host, server.port)) as asking:
        asking.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert received(asking).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_leaves_does_no_harm(server: Server):
    body, kind = parts(*[("a", GOOD)] * 10)
    head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    for end in (60, len(whole) // 2, len(whole)):
        for _ in range(5):
            with socket.create_connection((server.host, server.port)) as leaving:
                leaving.sendall(whole[:end])
    end = time.monotonic() + 30
    while counted(server, "galaxy_edge_body_bytes"):
        assert time.monotonic() < end
    assert server.ask("POST", "/v1/predict", GOOD).status == 200


def test_too_many_connections_are_refused():
    from galaxy_edge.serve.connections import protocol

    async def answers() -> list[bytes]:
        import uvicorn

        async def app(scope, receive, send):
            raise AssertionError

        config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        kind = protocol(60, 2)
        loop = asyncio.get_running_loop()
        config.load()
        listening = await loop.create_server(
            lambda: kind(config, server.server_state, {}), "127.0.0.1", 0
        )
        address = listening.sockets[0].getsockname()
        open_ = [await asyncio.open_connection(*address) for _ in range(3)]
        refused = await open_[2][0].read()
        for _, writer in open_:
            writer.close()
            await writer.wait_closed()
        listening.close()
        await listening.wait_closed()
        await asyncio.sleep(0.05)
        return [refused]

    (refused,) = asyncio.run(answers())
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in refused
    head, _, body = refused.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


class Asked:
    """An application whose line nobody serves, unless a test does."""

    def __init__(self, predictor: Predictor, **limits: float) -> None:
        self.service = Service(predictor, Limits(**limits))
        self.app = application(self.service, token=None, hosts=None, decoders=1)

    async def ask(self, content: bytes, kind: str = "image/png") -> Reply:
        headers = {"content-type": kind}
        return await call(self.app, "POST", "/v1/predict", content, headers)


def test_a_full_line_refuses_and_says_when_to_try_again(predictor: Predictor):
    async def test() -> None:
        asked = Asked(predictor, waiting=3, timeout=60)
        body, kind = parts(("a", GOOD), ("b", GOOD))
        waiting = asyncio.create_task(asked.ask(body, kind))
        while not len(asked.service.line):
            await asyncio.sleep(0)
        refused = await asked.ask(body, kind)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "too many images wait" in refused.json()["error"]
        # There is room for one, but not for two.
        another = asyncio.create_task(asked.ask(GOOD))
        while len(asked.service.line) < 3:
            await asyncio.sleep(0)
        for task in (waiting, another):
            task.cancel()

    asyncio.run(test())


def test_a_request_that_is_not_scored_in_time_is_refused_and_forgotten(predictor: Predictor):
    async def test() -> None:
        asked = Asked(predictor, timeout=0.05)
        refused = await asked.ask(GOOD)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "no verdict in 0.05 s" in refused.json()["error"]
        asked.service.line.close()
        assert asked.service.line.take(9) == []

    asyncio.run(test())


def test_too_many_bytes_at_once_are_refused(predictor: Predictor):
    async def test() -> None:
        asked = Asked(predictor, body=len(GOOD), bodies=2 * len(GOOD), timeout=60)
        waiting = [asyncio.create_task(asked.ask(GOOD)) for _ in range(2)]
        while len(asked.service.line) < 2:
            await asyncio.sleep(0)
        refused = await asked.ask(b"a")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        assert asked.service.metrics.text().count(b"\ngalaxy_edge_body_bytes 0.0") == 1

    asyncio.run(test())


def test_a_model_that_fails_is_a_500_with_its_reason(predictor: Predictor):
    async def test() -> None:
        asked = Asked(predictor)
        waiting = asyncio.create_task(asked.ask(GOOD))
        while not len(asked.service.line):
            await asyncio.sleep(0)
        (one,) = asked.service.line.take(1)
        one.answer.fail(ModelError("no memory on the GPU"))
        reply = await waiting
        assert reply.status == 500
        assert reply.json() == {"error": "the model does not run: no memory on the GPU"}

    asyncio.run(test())
