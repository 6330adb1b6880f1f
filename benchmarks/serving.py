"""A server process, its memory, and clients that cost little: one task for each connection."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]


class Serving:
    """A process that serves the bundled model on this machine."""

    def __init__(self, *options: str) -> None:
        words = ["-m", "galaxy_edge", "serve", "--port", "0", "--device", "cpu", *options]
        self._log = tempfile.TemporaryFile("a+")  # noqa: SIM115 - closed at the end
        self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=self._log)
        while (match := re.search(r" at http://127\.0\.0\.1:(\d+)/", self.said())) is None:
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        self.port = int(match[1])

    def said(self) -> str:
        """What it has written to stderr."""
        self._log.seek(0)
        return self._log.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=300)
        said = self.said()
        self._log.close()
        # No client makes it write: it says when it is ready, and when it ends.
        assert (code, said.count("\n")) == (0, 2), said

    def resident(self) -> float:
        """Memory in use, MB."""
        status = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def post(body: bytes, kind: str = "image/jpeg", path: str = "/v1/predict") -> bytes:
    """The bytes of a request."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return int(head[9:12]), await reader.readexactly(int(length[1]) if length else 0)


@dataclass
class Load:
    """What a number of connections measured.

    Attributes:
        seconds: of the whole measurement.
        latencies: seconds of each request.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


async def load(port: int, requests: list[bytes], connections: int, seconds: float) -> Load:
    """Send one request after the other on each of some connections, all at once.

    Args:
        port: of the server on this machine.
        requests: their bytes, sent in turn.
        connections: how many.
        seconds: how long.
    """
    found = Load()
    begin = time.perf_counter()
    end = begin + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < end:
            writer.write(requests[number % len(requests)])
            status, body = await answer(reader)
            assert status == 200, body
            found.latencies.append(time.perf_counter() - start)
            number += 1
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*[client(number) for number in range(connections)])
    found.seconds = time.perf_counter() - begin
    return found
