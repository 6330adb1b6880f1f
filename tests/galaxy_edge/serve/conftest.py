"""Fixtures: one server for many tests, and a predictor to compare it with."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from galaxy_edge import Predictor
from tests.galaxy_edge.serve.servers import Server, starting

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return Predictor()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that small requests are too large for, and that waits no longer than a second."""
    started = Server("--max-size", "200KB", "--timeout", "1")
    yield started
    assert started.end(signal.SIGTERM) == 0
    # No client makes it write: it says when it is ready, and when it ends.
    assert len(started.said) == 2, started.said


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    with starting() as new:
        yield new
