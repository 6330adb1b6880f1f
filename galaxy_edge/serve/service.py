"""What all routes share: the model, the line of waiting images, and the limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request

from galaxy_edge.errors import GalaxyEdgeError
from galaxy_edge.inputs.source import Source
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction
from galaxy_edge.serve.bodies import Body, Room
from galaxy_edge.serve.limits import Limits, RefusedError
from galaxy_edge.serve.metrics import Metrics
from galaxy_edge.serve.waiting import FullError, Line

#: Seconds after which a client may try again. The line moves within one.
_SOON = 1


class Service:
    """A model that answers requests.

    Args:
        predictor: gives the verdicts.
        limits: of requests.

    Attributes:
        name: of the model in paths: its file's without the suffix.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor = predictor
        self.limits = limits
        self.name = predictor.name.removesuffix(".onnx")
        self.line = Line(limits.waiting)
        self.metrics = Metrics()
        self._room = Room()
        self.metrics.watch(lambda: len(self.line), lambda: self._room.taken)

    def body(self, request: Request) -> Body:
        """The body of a request, to be used in a ``with`` block until it is answered."""
        return Body(request, self.limits, self._room)

    def document(self) -> dict[str, Any]:
        """The manifest of the model, as `galaxy-edge info` prints it, and the limits."""
        predictor = self.predictor
        # The examples contain images.
        scores = {"golden": [list(item.scores) for item in predictor.manifest.golden]}
        document = {
            "model": predictor.name,
            "sha256": predictor.sha256,
            "schema": predictor.manifest.schema,
            "provider": predictor.provider,
            "threshold": predictor.threshold,
            "ood_limit": predictor.decision.ood_limit,
            "limits": {"bytes": self.limits.body, "images": self.limits.images},
        }
        plain: dict[str, Any] = json.loads(
            json.dumps(document | predictor.manifest.sections() | scores)
        )
        return plain

    async def classify(self, request: Request, sources: Sequence[Source]) -> list[Prediction]:
        """Classify the images of a request.

        Raises:
            RefusedError: too many images wait, it takes too long, or the model does not run.
            ClientDisconnect: the client has gone; what was not scored yet is not scored.
        """
        try:
            answer = self.line.add(sources)
        except FullError:
            raise RefusedError(
                503, "too many images wait; try again later", retry_after=_SOON
            ) from None
        try:
            await self._done(request, answer.done)
            return answer.predictions()
        except GalaxyEdgeError as error:
            raise RefusedError(500, f"the model does not run: {error}") from error
        finally:
            answer.given_up = True

    async def _done(self, request: Request, done: asyncio.Future[None]) -> None:
        # After the body, the only message is that the client has gone.
        gone = asyncio.ensure_future(request.receive())
        try:
            first, _ = await asyncio.wait(
                (done, gone), timeout=self.limits.timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            gone.cancel()
        if done in first:
            return
        if gone in first:
            raise ClientDisconnect
        raise RefusedError(
            503, f"no verdict in {self.limits.timeout:g} s; try again later", retry_after=_SOON
        )
