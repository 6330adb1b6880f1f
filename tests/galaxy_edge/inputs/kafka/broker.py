"""A cluster of brokers in a process of its own: librdkafka's mock cluster.

Run as a script, it prints its addresses and serves them until it is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BROKERS = 2


class Broker:
    """A running cluster."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def produce(self, topic: str, messages: list[tuple[str | None, bytes | None]]) -> None:
        """Write messages, pairs of a key and a value."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.address})
        for key, value in messages:
            producer.produce(topic, value, key)
        assert producer.flush(20) == 0

    def read(self, topic: str, count: int) -> list[Any]:
        """Read at least some messages of a topic, and all others that come soon."""
        from confluent_kafka import Consumer

        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": f"reader-{time.monotonic()}",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([topic])
        found, last = [], time.monotonic()
        while time.monotonic() < last + (2 if len(found) >= count else 30):
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message)
                last = time.monotonic()
        consumer.close()
        return found

    def committed(self, topic: str, group: str) -> int:
        """The sum of the committed offsets of a group."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group})
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        places = consumer.committed([TopicPartition(topic, one) for one in partitions], 10)
        consumer.close()
        return sum(max(place.offset, 0) for place in places)


if __name__ == "__main__":
    from confluent_kafka import Producer

    cluster = Producer({"test.mock.num.brokers": BROKERS, "log_level": 0})
    brokers = cluster.list_topics(timeout=10).brokers.values()
    print(",".join(f"{one.host}:{one.port}" for one in brokers), flush=True)
    while True:
        cluster.poll(1)
