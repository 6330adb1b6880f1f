"""The application: routes, behind the guard, behind the counters."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from galaxy_edge.serve.answers import as_json
from galaxy_edge.serve.guard import Guard
from galaxy_edge.serve.inference.routes import routes as inference_routes
from galaxy_edge.serve.limits import RefusedError
from galaxy_edge.serve.metrics import Measured
from galaxy_edge.serve.routes import routes
from galaxy_edge.serve.service import Service


def application(
    service: Service, *, token: str | None, hosts: frozenset[str] | None, decoders: int
) -> ASGIApp:
    """Make the application.

    Args:
        service: the model and its limits.
        token: what clients must know; None for no token.
        hosts: further names of this machine, accepted without a token; None to accept any name.
        decoders: number of previews made at once.
    """
    every = [*routes(service, decoders, needs_token=token is not None), *inference_routes(service)]
    handlers: dict[Any, Any] = {
        RefusedError: _refused,
        HTTPException: _no_route,
        ClientDisconnect: _nobody,
        Exception: _bug,
    }
    inner = Starlette(routes=every, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    paths: dict[object, str] = {}
    for route in every:
        paths.setdefault(route.endpoint, route.path)
    return Measured(_NoSniffing(Guard(inner, token, hosts)), service.metrics, paths)


async def _refused(_: Request, error: RefusedError) -> Response:
    return as_json({"error": error.reason}, error.status, error.headers)


async def _no_route(request: Request, error: HTTPException) -> Response:
    reason = f"{request.method} {request.url.path}: {error.detail}"
    return as_json({"error": reason}, error.status_code, error.headers)


async def _nobody(_: Request, __: ClientDisconnect) -> Response:
    """An answer that nobody reads."""
    return Response(status_code=499)


async def _bug(_: Request, __: Exception) -> Response:
    """What the client is told; the traceback goes to stderr."""
    reason = "this is a bug in galaxy-edge; its log has the details"
    return as_json({"error": reason}, 500, {"Connection": "close"})


class _NoSniffing:
    """Tells browsers to take every answer for what its type says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, marked)
