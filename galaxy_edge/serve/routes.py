"""The routes of galaxy-edge itself: verdicts, the model, previews, metrics and the page."""

from __future__ import annotations

import asyncio
import io
import json

from PIL import Image
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.source import Source
from galaxy_edge.serve.answers import as_json
from galaxy_edge.serve.images import images
from galaxy_edge.serve.limits import RefusedError
from galaxy_edge.serve.page import Page
from galaxy_edge.serve.service import Service


def routes(service: Service, decoders: int, *, needs_token: bool) -> list[Route]:
    """The routes.

    Args:
        service: the model and its limits.
        decoders: number of previews made at once.
        needs_token: whether the page must ask for a token.
    """
    free = asyncio.Semaphore(decoders)
    page = Page(needs_token=needs_token)

    async def predict(request: Request) -> Response:
        with service.body(request) as body:
            form, sources = await images(request, body, service.limits.images)
            rows = [one.row() for one in await service.classify(request, sources)]
        if form == "image":
            return as_json(rows[0])
        if form == "parts":
            return as_json(rows)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        return Response(lines, media_type="application/x-ndjson")

    async def model(_: Request) -> Response:
        return as_json(service.document())

    async def preview(request: Request) -> Response:
        with service.body(request) as body:
            content = await body.read()
            try:
                async with asyncio.timeout(service.limits.timeout):
                    await free.acquire()
            except TimeoutError:
                raise RefusedError(
                    503, "too many previews; try again later", retry_after=1
                ) from None
            try:
                return await asyncio.to_thread(_preview, service, content)
            finally:
                free.release()

    async def metrics(_: Request) -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def show(_: Request) -> Response:
        return page.response()

    return [
        Route("/", show),
        Route("/v1/predict", predict, methods=["POST"]),
        Route("/v1/model", model),
        Route("/v1/preview", preview, methods=["POST"]),
        Route("/metrics", metrics),
    ]


def _preview(service: Service, content: bytes) -> Response:
    """What the network sees, as PNG."""
    try:
        pixels = decode(Source(content), service.predictor.preprocessing)
    except ImageError as error:
        raise RefusedError(422, str(error)) from error
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Response(file.getvalue(), media_type="image/png")
