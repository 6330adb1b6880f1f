"""Connections of uvicorn that do not wait for ever, and a server that says when it is ready.

uvicorn waits without end for the headers of a request, and for a client that does not read its
answer. Either would hold a connection, and the answer in memory, until the server ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b'Content-Length: 33\r\nConnection: close\r\n\r\n{"error": "too many connections"}'
)


def protocol(timeout: float, connections: int) -> type[asyncio.Protocol]:
    """Make the class of connections.

    Args:
        timeout: seconds for the headers of a request, and for reading its answer.
        connections: number of open connections; others are refused.
    """

    class Connection(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._since = self.loop.time()
            self._timer = self.loop.call_later(timeout / 4, self._look)
            if len(self.connections) > connections:
                transport.write(_FULL)
                transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            self._since = self.loop.time()
            super().pause_writing()

        def _look(self) -> None:
            """End a connection on which too little happens."""
            reading = self.transport.is_closing() or self.flow.write_paused
            cycle: Any = self.cycle  # None before the first request
            answering = cycle is not None and not cycle.response_complete
            if answering and not reading:
                # The application has its own times.
                self._since = self.loop.time()
            elif self.loop.time() - self._since > timeout:
                self.transport.abort()
                return
            self._timer = self.loop.call_later(timeout / 4, self._look)

    return Connection


class Server(uvicorn.Server):
    """A server that ends without a fault when it is asked to.

    Args:
        config: of uvicorn.
        ready: called when it accepts connections.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets=sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[Any]:
        """Leave signals to the command line; uvicorn would raise them again at its end."""
        yield
