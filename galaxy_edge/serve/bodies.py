"""Receive the body of a request, within the limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import NoReturn, Self

from starlette.requests import Request

from galaxy_edge.serve.limits import Limits, RefusedError

#: Seconds for which the rest of a refused body is read and thrown away. The client is still
#: sending, and many clients read the answer only afterwards.
_GRACE = 5.0


class Room:
    """Counts the bytes of all bodies in memory."""

    def __init__(self) -> None:
        self.taken = 0


class Body:
    """The body of a request; its bytes count until the ``with`` block ends.

    Args:
        request: the request.
        limits: of the server.
        room: what all bodies take.
    """

    def __init__(self, request: Request, limits: Limits, room: Room) -> None:
        self._headers = request.headers
        self._stream = request.stream()
        self._limits = limits
        self._room = room
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._room.taken -= self._taken
        self._taken = 0

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            RefusedError: it is too large, too slow or compressed, or there is no room for it now.
        """
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces.

        Raises:
            RefusedError: as for `read`.
        """
        encoding = self._headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            await self._refuse(415, f"the body is compressed ({encoding}); send it as it is")
        length = self._headers.get("content-length", "")
        # Longer numbers are too large, and Python converts them slowly or not at all.
        await self._check(int(length[:20]) if length.isdecimal() else 0)
        end = asyncio.get_running_loop().time() + self._limits.timeout
        while True:
            try:
                async with asyncio.timeout_at(end):
                    chunk = await anext(self._stream, None)
            except TimeoutError:
                raise RefusedError(
                    408, f"the body did not arrive in {self._limits.timeout:g} s", close=True
                ) from None
            if chunk is None:
                return
            await self._check(self._taken + len(chunk))
            self._taken += len(chunk)
            self._room.taken += len(chunk)
            if chunk:
                yield chunk

    async def _check(self, size: int) -> None:
        """Refuse a body that will have, or has, this many bytes."""
        if size > self._limits.body:
            await self._refuse(
                413,
                f"the body is larger than {self._limits.body:,} bytes (--max-size); send fewer or "
                "smaller images",
            )
        if self._room.taken - self._taken + size > self._limits.bodies:
            await self._refuse(503, "too many requests at once; try again later", retry_after=1)

    async def _refuse(self, status: int, reason: str, retry_after: int | None = None) -> NoReturn:
        # A client that expects 100 has sent nothing yet, and will not.
        if "expect" not in self._headers:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self._discard()
        raise RefusedError(status, reason, retry_after=retry_after, close=True)

    async def _discard(self) -> None:
        left = 2 * self._limits.body
        while left > 0 and (chunk := await anext(self._stream, None)) is not None:
            left -= len(chunk)
