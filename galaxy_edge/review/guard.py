"""Let only the page itself talk to the server: other pages and programs do not know the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_SAFE = (b"same-origin", b"none")


def guarded(app: App, token: str, port: int, once: str | None = None) -> App:
    """Refuse every request that does not come from the page.

    - The path must begin with the token, which only the address printed on the terminal has.
    - The host must be this machine, so that no other name can be made to point here.
    - A browser says which page sends a request; it must be our own. A link to the page itself may
      be anywhere, such as in a terminal that is a web page.

    Args:
        app: answers the other requests; its paths do not have the token.
        token: of this run.
        port: of the server.
        once: a path that leads to the page the first time it is asked for.
    """
    unused = {f"/{once}"} if once else set()
    hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
    origins = {b"http://" + host for host in hosts}
    start = f"/{token}/"

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        path = str(scope["path"])
        if scope["type"] == "http" and path in unused and headers.get(b"host") in hosts:
            unused.clear()
            place = [(b"location", start.encode()), (b"referrer-policy", b"no-referrer")]
            await send({"type": "http.response.start", "status": 303, "headers": place})
            await send({"type": "http.response.body", "body": b""})
            return
        is_link = path == start and headers.get(b"sec-fetch-mode") == b"navigate"
        allowed = (
            scope["type"] == "http"
            and hmac.compare_digest(path[: len(start)].encode(), start.encode())
            and headers.get(b"host") in hosts
            and headers.get(b"origin", b"http://127.0.0.1:%d" % port) in origins
            and (is_link or headers.get(b"sec-fetch-site", b"none") in _SAFE)
        )
        if not allowed:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"open the address on the terminal"})
            return
        inner = {**scope, "path": path[len(start) - 1 :], "root_path": ""}
        await app(inner, receive, send)

    return answer
