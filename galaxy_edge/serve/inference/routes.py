"""The routes of the Open Inference Protocol."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from galaxy_edge.serve.answers import as_json
from galaxy_edge.serve.inference.answers import VERSION, answer, metadata, tensors
from galaxy_edge.serve.inference.asked import asked
from galaxy_edge.serve.limits import RefusedError
from galaxy_edge.serve.service import Service
from galaxy_edge.versions import installed

#: Bytes that take so long to parse that other requests would notice.
_LARGE = 2**16


def routes(service: Service) -> list[Route]:
    """The routes."""
    manifest = service.predictor.manifest
    outputs = tuple(one.name for one in tensors((), manifest))

    def check(request: Request) -> None:
        """Refuse the name or version of a model that is not here."""
        name = request.path_params["name"]
        version = request.path_params.get("version", VERSION)
        if name != service.name or version != VERSION:
            raise RefusedError(
                404,
                f"there is no model {name}, version {version}; there is {service.name}, version "
                f"{VERSION}",
            )

    async def live(_: Request) -> Response:
        return as_json({"live": True})

    async def ready(_: Request) -> Response:
        return as_json({"ready": True})

    async def server(_: Request) -> Response:
        return as_json(
            {
                "name": "galaxy-edge",
                "version": installed("galaxy-edge"),
                "extensions": ["binary_tensor_data"],
            }
        )

    async def model(request: Request) -> Response:
        check(request)
        return as_json(metadata(service.name, manifest))

    async def model_ready(request: Request) -> Response:
        check(request)
        return as_json({"name": service.name, "ready": True})

    async def infer(request: Request) -> Response:
        check(request)
        with service.body(request) as body:
            content = await body.read()
            arguments = (
                content,
                request.headers.get("inference-header-content-length"),
                outputs,
                service.limits.images,
            )
            if len(content) > _LARGE:
                found = await asyncio.to_thread(asked, *arguments)
            else:
                found = asked(*arguments)
            predictions = await service.classify(request, found.sources)
        return answer(service.name, found, predictions, manifest)

    every = [
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/v2", server),
    ]
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        every += [
            Route(base, model),
            Route(f"{base}/ready", model_ready),
            Route(f"{base}/infer", infer, methods=["POST"]),
        ]
    return every
