"""Start real servers, and ask them, or an application without a server."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.png"))
BOUNDARY = "yW8zQ"


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Server:
    """A process that serves; its address is known when it accepts connections."""

    def __init__(self, *options: object) -> None:
        words = ["-m", "galaxy_edge", "serve", "--port", "0", *map(str, options)]
        self.process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if match := re.search(r" is at http://(.+):(\d+)/ ", line):
                self.host, self.port = match[1].strip("[]"), int(match[2])
                break
        else:
            raise AssertionError("".join(self.said))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        self.said.extend(self.process.stderr)

    def connect(self, timeout: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        reply = Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return reply

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self._listener.join()
        self.process.stderr.close()
        return code


def counted(server: Server, series: str) -> float:
    """A number from /metrics; 0 if it was never counted."""
    text = server.ask("GET", "/metrics").body.decode()
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def parts(*files: tuple[str, bytes], name: str = "image") -> tuple[bytes, str]:
    """A multipart body and its type."""
    body = b""
    for filename, content in files:
        body += (
            (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; '
                f'filename="{filename}"\r\n\r\n'
            ).encode()
            + content
            + b"\r\n"
        )
    return body + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


async def call(
    app: Any, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Ask an application directly."""
    name, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": name, "raw_path": name.encode(), "query_string": query.encode(),
        "root_path": "", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9),
        "headers": [
            (key.lower().encode(), value.encode("latin-1"))
            for key, value in {"host": "localhost", **(headers or {})}.items()
        ],
    }  # fmt: skip
    bodies = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        if not bodies:
            await asyncio.Event().wait()
        return bodies.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], found, b"".join(one["body"] for one in sent[1:]))


@contextmanager
def starting() -> Iterator[Callable[..., Server]]:
    """A function that starts servers; all of them end with the block."""
    servers: list[Server] = []

    def new(*options: object) -> Server:
        servers.append(Server(*options))
        return servers[-1]

    yield new
    for one in servers:
        one.end(signal.SIGKILL)
