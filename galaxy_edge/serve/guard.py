"""Who may ask: clients with the token, or, without one, programs and pages of this machine.

A page of any site can make a browser send requests to a server on the same machine. Two checks
keep such pages out where no token does: the origin of the page must be the server itself, and the
name in the address must be a local one. The second stops a site whose name was made to point to
this machine after its page was loaded (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from galaxy_edge.serve.answers import as_json

#: Nothing at these paths is about the model or its users: the page asks for the token.
_OPEN = ("/", "/v2/health/live", "/v2/health/ready")


class Guard:
    """Refuses requests of others.

    Args:
        app: the application.
        token: what clients must know; None for no token.
        hosts: names in addresses that are accepted without a token; None for any name.
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._token is not None:
            if scope["path"] in _OPEN or self._knows_token(headers.get("authorization", "")):
                return None
            return as_json(
                {"error": "this server needs a token: send the header Authorization: Bearer TOKEN"},
                401,
                {"WWW-Authenticate": "Bearer", "Connection": "close"},
            )
        host = headers.get("host", "")
        if self._hosts is not None and host and not _is_local(host, self._hosts):
            return _forbidden(
                f"this server answers only to local addresses, not to {host}; start it with "
                "--token-file to use it behind a proxy or under another name"
            )
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host.lower():
            return _forbidden(f"this server does not answer to pages of {origin}")
        return None

    def _knows_token(self, authorization: str) -> bool:
        kind, _, given = authorization.partition(" ")
        # Compared first, so that the time says nothing about the token.
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token or b"")
        return same and kind.lower() == "bearer"


def _place(origin: str) -> str | None:
    """The name and port in an origin; None for the origins of files and sandboxes, ``null``."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _forbidden(reason: str) -> Response:
    return as_json({"error": reason}, 403, {"Connection": "close"})


def _is_local(host: str, names: frozenset[str]) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    return name in names or name == "localhost" or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
