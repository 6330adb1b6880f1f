"""How to reach the brokers, for reading and for writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from galaxy_edge.errors import UsageError

#: Properties that consuming at least once depends on.
_RESERVED = frozenset({
    "bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store", "error_cb",
})  # fmt: skip
#: Faults that trying again does not mend.
_LASTING = frozenset({"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "_SSL"})
_LASTING_ENDS = ("AUTHORIZATION_FAILED",)


class Connection:
    """The brokers, and what they complain about.

    The client reconnects by itself. Faults that may end are noted once, until another one comes.

    Args:
        bootstrap: ``HOST:PORT,...`` of some of the brokers.
        properties: more properties of librdkafka, such as those for security.
        note: called with a sentence for the user.
    """

    def __init__(
        self,
        bootstrap: str,
        properties: Mapping[str, str],
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        if reserved := sorted(_RESERVED & properties.keys()):
            raise UsageError(f"the property {reserved[0]} is set by galaxy-edge; remove it")
        self.note = note
        self._lasting: str | None = None
        self._last = ""
        self._bootstrap = bootstrap
        self._properties = properties

    def settings(self, **more: Any) -> dict[str, Any]:
        """Properties for a client; the user's replace the defaults in ``more``."""
        defaults = {name.replace("_", "."): value for name, value in more.items()}
        return {
            **defaults,
            **self._properties,
            "bootstrap.servers": self._bootstrap,
            "error_cb": self.take,
            # librdkafka would write to stderr what `take` gets.
            "log_level": 0,
        }

    def take(self, error: Any) -> None:
        """Take an error of the client, in any thread."""
        name = error.name()
        if error.fatal() or name in _LASTING or name.endswith(_LASTING_ENDS):
            self._lasting = error.str()
        elif name != self._last:
            self._last = name
            self.note(f"Kafka: {error.str()}; trying again")

    def check(self) -> None:
        """Raise an error that trying again does not mend.

        Raises:
            UsageError: the brokers refuse this client.
        """
        if self._lasting is not None:
            raise UsageError(
                f"Kafka at {self._bootstrap}: {self._lasting}; check the properties and the rights"
            )


def properties_of(path: Path) -> dict[str, str]:
    """Read a file of properties: ``name=value`` lines, and comments that begin with ``#``.

    Raises:
        UsageError: a line has another form.
        OSError: the file cannot be read.
    """
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{path}, line {number}: a property has the form name=value")
        found[name.strip()] = value.strip()
    return found


def client(kind: str, settings: dict[str, Any]) -> Any:
    """Make a ``Consumer`` or a ``Producer``.

    Raises:
        UsageError: the extra is not installed, or a property is wrong.
    """
    try:
        import confluent_kafka  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"Kafka needs confluent-kafka, which cannot be imported ({error}): "
            "pip install 'galaxy-edge[kafka]'"
        ) from error
    try:
        return getattr(confluent_kafka, kind)(settings)
    except confluent_kafka.KafkaException as error:
        raise UsageError(f"a property of Kafka is wrong: {error.args[0].str()}") from error
