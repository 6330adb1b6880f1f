"""Counts and times for Prometheus, at ``/metrics``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: The time at which each count began would double the number of series, and few people use it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What the server counts.

    Attributes:
        requests: by path and status.
        seconds: from the first byte of a request to the last of its answer, by path.
        rows: by status.
        batches: images scored together.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.requests = Counter(
            "galaxy_edge_requests", "Requests, by path and status.", ["path", "status"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "galaxy_edge_request_seconds", "Seconds until a request is answered, by path.",
            ["path"], registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self.rows = Counter("galaxy_edge_rows", "Rows, by status.", ["status"], registry=registry)
        self.batches = Histogram(
            "galaxy_edge_batch_images", "Images scored together.", registry=registry,
            buckets=_IMAGES,
        )  # fmt: skip
        self._waiting = Gauge(
            "galaxy_edge_waiting_images", "Images that wait to be scored.", registry=registry
        )
        self._bytes = Gauge(
            "galaxy_edge_body_bytes", "Bytes of the requests in memory.", registry=registry
        )
        self._registry = registry

    def watch(self, waiting: Callable[[], float], taken: Callable[[], float]) -> None:
        """Say where the number of waiting images, and of bytes in memory, is found."""
        self._waiting.set_function(waiting)
        self._bytes.set_function(taken)

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self._registry)


class Measured:
    """Counts and times the requests of an application.

    Args:
        app: the application.
        metrics: where they are counted.
        paths: the path, with names for its parts, by the function that answers it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Mapping[object, str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A client that went away has no status.
        status = 499

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.perf_counter()
        try:
            await self._app(scope, receive, noted)
        finally:
            # Paths that clients made up would be series without end.
            path = self._paths.get(scope.get("endpoint"), "other")
            self._metrics.requests.labels(path, status).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)
