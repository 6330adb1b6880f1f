"""Consume a topic: an iterator of inputs that never ends, with at least one row for each message.

A message is an image of any format, or a packet of alerts. Its offset is committed when its rows
are delivered. After a kill, the messages since the last commit come again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import bounded, reason
from galaxy_edge.inputs.kafka.connection import Connection, client
from galaxy_edge.inputs.source import Source

#: Messages that are taken before their offsets are committed.
_MOST = 64
#: Seconds to wait for a message, so that a wish to stop is heard.
_WAIT = 0.1
#: First bytes of an Avro file.
_AVRO = b"Obj\x01"
#: First byte of a record in the format of Confluent, and the bytes before the record: this one, and
#: the number of its schema.
_CONFLUENT, _BEFORE = b"\0", 5


class Messages:
    """The messages of topics.

    Args:
        connection: the brokers.
        topics: their names; one that begins with ``^`` is a regular expression.
        group: consumers of one group share the messages and the committed offsets.
        layout: how packets of alerts are read.
        schema: an Avro schema, for alerts that come without theirs, as from Rubin.
        stopped: whether to stop; what was taken is still finished.

    Raises:
        UsageError: the extra is not installed, or a property is wrong.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        group: str,
        *,
        layout: Layout | None = None,
        schema: Path | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connection = connection
        self._topics = [*topics]
        self._layout = layout or Layout()
        self._schema = None if schema is None else _read_schema(schema)
        self._stopped = stopped
        self._consumer = client(
            "Consumer",
            connection.settings(auto_offset_reset="earliest", allow_auto_create_topics="false")
            | {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False},
        )

    def sources(self, delivered: Callable[[], None]) -> Iterator[Source | None]:
        """The inputs in the messages, and None whenever no other has come.

        Args:
            delivered: waits until all rows that were written are delivered.

        Raises:
            UsageError: the brokers refuse this client.
        """
        try:
            self._consumer.subscribe(self._topics)
            while not self._stopped():
                messages = self._take()
                if messages:
                    yield from bounded(
                        source for message in messages for source in self._sources(message)
                    )
                yield None
                self._connection.check()
                if messages:
                    # Whatever was taken has its rows now.
                    delivered()
                    self._commit(messages)
        finally:
            self._consumer.close()

    def _take(self) -> list[Any]:
        """Messages that have come, without those that only say how the connection is."""
        first = self._consumer.poll(_WAIT)
        if first is None:
            return []
        found = [first, *self._consumer.consume(_MOST - 1, 0)]
        for message in found:
            if message.error() is not None and not _has_place(message):
                self._connection.take(message.error())
        return [message for message in found if message.error() is None or _has_place(message)]

    def _sources(self, message: Any) -> Iterator[Source]:
        path = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        none = dict.fromkeys(self._layout.keep)
        if message.error() is not None:
            yield Source(ImageError(f"damaged: {message.error().str()}"), path=path, kept=none)
            return
        content = message.value()
        if content is None:
            yield Source(ImageError("empty: the message has no value"), _key(message), path, none)
        elif content.startswith((_AVRO, _CONFLUENT)):
            yield from self._alerts(content, path)
        else:
            yield Source(content, _key(message), path, none)

    def _alerts(self, content: bytes, path: str) -> Iterator[Source]:
        none = dict.fromkeys(self._layout.keep)
        try:
            from galaxy_edge.inputs.containers import alerts  # noqa: PLC0415 - an extra

            if content.startswith(_AVRO):
                yield from alerts.alerts(content, path, self._layout)
            elif self._schema is None:
                number = int.from_bytes(content[1:_BEFORE], "big")
                fault = f"an alert without its schema, number {number}; give it with --schema"
                yield Source(ImageError(fault), path=path, kept=none)
            else:
                yield alerts.bare_alert(content[_BEFORE:], self._schema, path, self._layout)
        except ModuleNotFoundError as error:
            fault = f"alerts need {error.name}: pip install 'galaxy-edge[alerts]'"
            yield Source(ImageError(fault), path=path, kept=none)
        # fastavro raises nearly anything for damaged data.
        except Exception as error:  # noqa: BLE001
            yield Source(ImageError(reason(error)), path=path, kept=none)

    def _commit(self, messages: Sequence[Any]) -> None:
        from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415 - an extra

        following: dict[tuple[str, int], int] = {}
        for message in messages:
            place = message.topic(), message.partition()
            following[place] = max(following.get(place, 0), message.offset() + 1)
        offsets = [TopicPartition(*place, offset) for place, offset in following.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # The messages may come again, here or at another consumer, and get another row.
            self._connection.take(error.args[0])


def _read_schema(path: Path) -> Any:
    try:
        from galaxy_edge.inputs.containers.alerts import read_schema  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a schema needs {error.name}, which is not installed: "
            "pip install 'galaxy-edge[alerts]'"
        ) from error
    return read_schema(path)


def _has_place(message: Any) -> bool:
    """Whether an error is about one message, and not about the connection or a whole topic."""
    names = ("_BAD_MSG", "_BAD_COMPRESSION", "MSG_SIZE_TOO_LARGE", "INVALID_MSG")
    offset = message.offset()
    return message.error().name() in names and offset is not None and offset >= 0


def _key(message: Any) -> str | None:
    """The key of a message, if it is text."""
    try:
        text = (message.key() or b"").decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None
