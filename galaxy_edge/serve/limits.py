"""What a request may ask for, and the refusal of what is more."""

from __future__ import annotations

import re
from dataclasses import dataclass

from galaxy_edge.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all clients together, may take.

    Attributes:
        body: bytes of one request.
        bodies: bytes of all requests that are being received or answered.
        images: number of images of one request.
        waiting: number of images of all requests that wait to be scored.
        connections: number of open connections.
        timeout: seconds in which a request must arrive, and seconds in which it must be answered.
    """

    body: int = 32 * 10**6
    bodies: int = 8 * 32 * 10**6
    images: int = 1000
    waiting: int = 4000
    connections: int = 500
    timeout: float = 60.0


class RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        status: of HTTP.
        reason: a sentence for the client.
        retry_after: seconds after which it may try again, if trying again can help.
        close: end the connection, because its request has not been read to the end.
    """

    def __init__(
        self, status: int, reason: str, *, retry_after: int | None = None, close: bool = False
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        if close:
            self.headers["Connection"] = "close"


def size(text: str) -> int:
    """Bytes: ``32MB`` is 32,000,000, ``32MiB`` is 33,554,432, a number alone is bytes.

    Raises:
        UsageError: the text is not a size, or the size is 0.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    count = 0 if match is None else int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    if count < 1:
        raise UsageError(f"--max-size takes a size such as 32MB, not {text!r}")
    return count
