"""Write rows to a topic of Kafka (the extra ``kafka``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.kafka.connection import Connection, client
from galaxy_edge.outputs.output import Output
from galaxy_edge.outputs.resume import Earlier, Origin
from galaxy_edge.results import Prediction

#: Seconds between two looks at what is not delivered.
_WAIT = 0.5


class TopicWriter:
    """Each row is one message: JSON, with the identifier as its key.

    Args:
        connection: the brokers.
        topic: the name of the topic.

    Raises:
        UsageError: the extra is not installed, or a property is wrong.
    """

    def __init__(self, connection: Connection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._fault: str | None = None
        # A row waits for a broker that is down for as long as it takes.
        settings = connection.settings(enable_idempotence="true", message_timeout_ms="0")
        self._producer = client("Producer", settings)

    def write(self, prediction: Prediction) -> None:
        """Send one row; `sync` waits for it."""
        value = json.dumps(prediction.row()).encode()
        key = (prediction.id or "").encode("utf-8", "surrogateescape")
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
            except BufferError:  # too many rows wait for a broker
                self._producer.poll(_WAIT)
                self._check()
            else:
                self._producer.poll(0)
                return

    def sync(self) -> None:
        """Wait until all rows are delivered.

        Raises:
            UsageError: the brokers refuse a row or this client.
        """
        while self._producer.flush(_WAIT):
            self._check()
        self._check()

    def _delivered(self, error: Any, message: Any) -> None:  # noqa: ARG002
        if error is not None:
            self._fault = error.str()

    def _check(self) -> None:
        self._connection.check()
        if self._fault is not None:
            raise UsageError(f"rows cannot be delivered to the topic {self._topic}: {self._fault}")


@contextmanager
def opened(connection: Connection, topic: str, origin: Origin) -> Iterator[Output]:
    """Open a topic as the output of a run.

    Args:
        connection: the brokers.
        topic: the name of the topic.
        origin: what the rows to write have in common.
    """
    writer = TopicWriter(connection, topic)
    sync: Callable[[], None] = writer.sync
    yield Output(writer, Earlier(origin), None, sync)
    sync()
