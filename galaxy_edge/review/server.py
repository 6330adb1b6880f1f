"""The page and what it asks for, on this machine only (the extra ``serve``)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable
from importlib import resources
from typing import Any, Literal, cast, get_args

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.review.guard import App, guarded
from galaxy_edge.review.pictures import LARGEST, Pictures
from galaxy_edge.review.review import Key, Review, Wanted

#: Bytes of one request: labels for 100,000 rows take 2 MB.
_LARGEST = 2**24
#: Rows in one answer.
_MOST_ROWS = 500
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def application(review: Review, pictures: Pictures) -> Starlette:
    """The answers to the page's requests.

    Only rows are named in a request, by their numbers, never paths.

    Args:
        review: the rows and their labels.
        pictures: reads images.
    """
    writing = threading.Lock()

    def page(request: Request) -> Response:  # noqa: ARG001
        text = (resources.files("galaxy_edge.review") / "page.html").read_text(encoding="utf-8")
        return _response(text, "text/html", {"Content-Security-Policy": _policy(text)})

    def run(request: Request) -> Response:  # noqa: ARG001
        return _json(_summary(review))

    def order(request: Request) -> Response:
        given = request.query_params
        sort = given.get("sort", "uncertainty")
        labelled = given.get("labelled") or None
        if sort not in get_args(Key) or labelled not in (None, "yes", "no", "changed"):
            raise UsageError("the order is not one of those of the page")
        wanted = Wanted(
            cast("Key", sort),
            given.get("descending", "yes") == "yes",
            given.get("verdict") or None,
            given.get("status") or None,
            cast("Literal['yes', 'no', 'changed'] | None", labelled),
            given.get("text", ""),
        )
        return _json({"rows": review.order(wanted)})

    def rows(request: Request) -> Response:
        numbers = [int(one) for one in request.query_params.get("numbers", "").split(",") if one]
        if len(numbers) > _MOST_ROWS or not all(0 <= one < len(review.rows) for one in numbers):
            raise UsageError(f"name at most {_MOST_ROWS} rows of this run")
        pictures.expect([review.path(number) for number in numbers])
        return _json({"rows": [review.document(number) for number in numbers]})

    def picture(request: Request) -> Response:
        number = int(request.path_params["number"])
        side = min(int(request.query_params.get("side", "256")), LARGEST)
        if not 0 <= number < len(review.rows) or side < 1:
            raise UsageError(f"there is no row {number}")
        try:
            png = pictures.png(review.path(number), side, review.rows[number][0])
        except ImageError as error:
            # Not a status of HTTP: it is what the page shows instead.
            return _json({"error": str(error)})
        return _response(png, "image/png", {"Cache-Control": "private, max-age=3600"})

    async def labels(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise UsageError("labels are sent as JSON")
        body = bytearray()
        async for block in request.stream():
            body += block
            if len(body) > _LARGEST:
                raise UsageError("too many labels at once")
        given = json.loads(body)["changes"]
        changes = [(int(number), str(label)) for number, label in given]

        def write() -> dict[str, int]:
            with writing:
                review.set(changes)
                return review.counts()

        return _json(await run_in_threadpool(write))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/run", run),
            Route("/order", order),
            Route("/rows", rows),
            Route("/picture/{number:int}", picture),
            Route("/labels", labels, methods=["POST"]),
        ],
        exception_handlers={
            UsageError: _refused,
            ValueError: _refused,
            KeyError: _refused,
            TypeError: _refused,
            OSError: _failed,
        },
    )


def serve(review: Review, pictures: Pictures, port: int, ready: Callable[[str, str], None]) -> None:
    """Answer until a signal ends the program.

    Args:
        review: the rows and their labels.
        pictures: reads images.
        port: 0 for a free one.
        ready: is given the address of the page, and one that leads there once: other users of this
            machine see the arguments of a browser that is started with it.

    Raises:
        UsageError: the port cannot be used.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"port {port} cannot be used: {reason}; choose another") from error
    with listener:
        port = listener.getsockname()[1]
        token, once = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        app: App = guarded(application(review, pictures), token, port, once)
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_level="warning", access_log=False,
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        host = f"http://127.0.0.1:{port}"
        ready(f"{host}/{token}/", f"{host}/{once}")
        uvicorn.Server(config).run(sockets=[listener])


def _summary(review: Review) -> dict[str, Any]:
    return {
        "files": [str(run.path) for run in review.runs],
        "models": [run.model for run in review.runs],
        "labels": str(review.labels.path),
        "classes": review.classes,
        "total": len(review.rows),
        "only_in_one": review.only_in_one,
        "typicality": any(row[0].typicality is not None for row in review.rows),
        "counts": review.counts(),
        "verdicts": review.verdicts(),
    }


def _policy(page: str) -> str:
    """Only the script and the style of the page itself, and nothing from anywhere else."""

    def digest(tag: str) -> str:
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{digest('script')}'; "
        f"style-src 'sha256-{digest('style')}'; img-src blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _response(content: str | bytes, kind: str, more: dict[str, str]) -> Response:
    return Response(content, media_type=kind, headers=_HEADERS | more)


def _json(document: dict[str, Any]) -> Response:
    return JSONResponse(document, headers=_HEADERS)


def _refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return JSONResponse({"error": str(error)}, 400, headers=_HEADERS)


def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    reason = getattr(error, "strerror", None) or str(error)
    return JSONResponse({"error": reason}, 507, headers=_HEADERS)
