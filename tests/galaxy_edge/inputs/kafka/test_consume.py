"""`galaxy-edge consume` against a cluster, with kills and a broker that hangs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers import packets
from tests.galaxy_edge.inputs.kafka.broker import Broker
from tests.systems import posix

Cli = Callable[..., tuple[int, str, str]]
pytest.importorskip("confluent_kafka", reason="the extra `kafka` is not installed")
ROOT = Path(__file__).parents[4]

#: Seconds that a busy machine may take for anything.
PATIENCE = 240


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    one = Broker()
    yield one
    one.close()


@pytest.fixture(scope="module")
def model_file() -> Path:
    """The bundled model, which needs no training."""
    return ROOT / "galaxy_edge" / "models" / "galaxy-edge.onnx"


@pytest.fixture
def properties(tmp_path: Path) -> Path:
    """A group whose member was killed soon lets another one in."""
    path = tmp_path / "client.properties"
    path.write_text("# a comment\nsession.timeout.ms = 6000\n\nsocket.timeout.ms=2000\n")
    return path


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No process outlives its test."""
    yield
    while _RUNNING:
        process = _RUNNING.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


_RUNNING: list[subprocess.Popen[str]] = []


class Consuming:
    """A process that consumes a topic."""

    def __init__(self, broker: Broker, topic: str, model: Path, properties: Path, *more: object):
        words = [
            "consume", "--bootstrap", broker.address, "--topic", topic, "--group", "g", "-m", model,
            "--properties", properties, "-q", *more,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "galaxy_edge", *map(str, words)],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        _RUNNING.append(self.process)

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def rows_of(path: Path) -> list[dict]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def wait_for(path: Path, count: int) -> None:
    end = time.monotonic() + PATIENCE
    while len(rows_of(path)) < count:
        assert time.monotonic() < end, f"{len(rows_of(path))} rows"
        time.sleep(0.02)


def messages(count: int) -> list[tuple[str | None, bytes | None]]:
    """Images; every seventh is none, and every thirteenth has no value."""
    found: list[tuple[str | None, bytes | None]] = []
    for number in range(count):
        content: bytes | None = encoded(galaxy(number % 5))
        if number % 7 == 3:
            content = b"no image"
        if number % 13 == 5:
            content = None
        found.append((f"m{number}", content))
    return found


def test_every_message_has_a_row_after_a_kill(
    broker: Broker, tmp_path: Path, model_file: Path, properties: Path
):
    given, output = messages(600), tmp_path / "x.jsonl"
    broker.produce("images", given)
    consuming = Consuming(broker, "images", model_file, properties, "-o", output, "--threads", 1)
    wait_for(output, 100)
    consuming.kill()
    killed_at = len(rows_of(output))
    assert broker.committed("images", "g") <= killed_at < 600
    consuming = Consuming(broker, "images", model_file, properties, "-o", output)
    wait_for(output, 600)
    code, err = consuming.end()
    assert (code, err) == (143, "")
    rows = rows_of(output)
    assert Counter(row["id"] for row in rows) == {key: 1 for key, _ in given}
    bad = {str(key): not content or content == b"no image" for key, content in given}
    assert {row["id"]: row["status"] == "error" for row in rows} == bad
    assert broker.committed("images", "g") == 600
    assert {row["error"] for row in rows if row["id"] == "m5"} == {
        "empty: the message has no value"
    }


def test_rows_go_to_a_topic_and_survive_a_kill(
    broker: Broker, tmp_path: Path, model_file: Path, properties: Path
):
    count = 1000
    given = messages(count)
    broker.produce("in", given)
    more = ("--to-topic", "out", "--threads", 1)
    consuming = Consuming(broker, "in", model_file, properties, *more)
    end = time.monotonic() + PATIENCE
    while not (before := broker.committed("in", "g")):
        assert time.monotonic() < end
    consuming.kill()
    assert before < count
    consuming = Consuming(broker, "in", model_file, properties, *more)
    end = time.monotonic() + PATIENCE
    while broker.committed("in", "g") < count:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert consuming.end() == (143, "")
    found = broker.read("out", count)
    rows = [json.loads(one.value()) for one in found]
    assert {row["id"] for row in rows} == {key for key, _ in given}
    assert all(one.key() == row["id"].encode() for one, row in zip(found, rows, strict=True))


@posix
def test_a_broker_that_hangs_is_waited_for(
    broker: Broker, tmp_path: Path, model_file: Path, properties: Path
):
    output = tmp_path / "x.jsonl"
    broker.produce("hanging", messages(20))
    consuming = Consuming(broker, "hanging", model_file, properties, "-o", output)
    wait_for(output, 20)
    broker.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(5)
        assert consuming.process.poll() is None
    finally:
        broker.process.send_signal(signal.SIGCONT)
    broker.produce("hanging", [(f"later{number}", b"no image") for number in range(20)])
    wait_for(output, 40)
    code, _ = consuming.end()
    assert code == 143
    assert len({row["id"] for row in rows_of(output)}) == 40


def test_alerts_in_messages(broker: Broker, tmp_path: Path, model_file: Path, properties: Path):
    fastavro = pytest.importorskip("fastavro", reason="the extra `alerts` is not installed")
    packet = packets.packed(packets.ZTF, [packets.ztf(1), packets.ztf(2, stamps=False)])
    record = BytesIO()
    fastavro.schemaless_writer(record, fastavro.parse_schema(packets.RUBIN), packets.rubin(3))
    bare = b"\0\0\0\0\x07" + record.getvalue()
    (tmp_path / "alert.avsc").write_text(json.dumps(packets.RUBIN))
    given = {"packet": packet, "cut": packet[:300], "bare": bare, "long": bare + b"x", "odd": b"\0"}
    # One partition keeps their order.
    broker.produce("alerts", [("one", content) for content in given.values()])
    output = tmp_path / "x.jsonl"
    consuming = Consuming(
        broker, "alerts", model_file, properties, "-o", output, "--cutout", "triplet",
        "--stretch-kind", "linear", "--schema", tmp_path / "alert.avsc",
    )  # fmt: skip
    wait_for(output, 6)
    assert consuming.end()[0] == 143
    first, second, cut, bare_row, long, odd = rows_of(output)
    assert (first["id"], first["error"]) == (str(10**18 + 1), None)
    assert first["path"].startswith("alerts[")
    assert first["path"].endswith("@0#0")
    assert "no stamp" in second["error"]
    assert "damaged or truncated" in cut["error"]
    assert (bare_row["id"], bare_row["error"]) == (str(2 * 10**17 + 3), None)
    assert "bytes are left" in long["error"]
    assert "damaged or truncated" in odd["error"]
    # Without the schema.
    broker.produce("bare", [("one", bare)])
    consuming = Consuming(broker, "bare", model_file, properties, "-o", tmp_path / "y.jsonl")
    wait_for(tmp_path / "y.jsonl", 1)
    assert consuming.end()[0] == 143
    (row,) = rows_of(tmp_path / "y.jsonl")
    assert row["error"] == "an alert without its schema, number 7; give it with --schema"


def test_no_broker_is_a_note_and_not_the_end(tmp_path: Path, model_file: Path, properties: Path):
    nobody = type("Nobody", (), {"address": "127.0.0.1:9"})()
    consuming = Consuming(nobody, "x", model_file, properties, "-o", tmp_path / "x.jsonl")
    assert consuming.process.stderr is not None
    assert consuming.process.stderr.readline().startswith("galaxy-edge: Kafka: ")
    time.sleep(1)
    assert consuming.process.poll() is None
    code, err = consuming.end()
    assert code == 143
    assert err.count("trying again") <= 4


BASE = ("consume", "--bootstrap", "127.0.0.1:9", "--topic", "x", "--group", "g")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "give one of them"),
        (("-o", "x.jsonl", "--to-topic", "y"), "give one of them"),
        (("--to-topic", "x"), "would be read as messages"),
        (("-o", "x.txt", "--keep", "ra"), "a table has no column for --keep"),
        (("-o", "x.jsonl", "--properties", "no-equals"), "no-equals, line 2: a property has"),
        (("-o", "x.jsonl", "--properties", "reserved"), "group.id is set by galaxy-edge"),
        (("-o", "x.jsonl", "--properties", "unknown"), "a property of Kafka is wrong: No such"),
        (("-o", "x.jsonl", "--properties", "nowhere"), "nowhere: No such file"),
        (("-o", "x.jsonl", "--schema", "nowhere.avsc"), "nowhere.avsc"),
        (("-o", "x.jsonl", "--schema", "no-equals"), "no-equals cannot be read as an Avro schema"),
    ],
)
def test_wrong_usage(
    tmp_path: Path, cli: Cli, more: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("no-equals").write_text("\nfetch.min.bytes\n")
    Path("reserved").write_text("group.id=mine\n")
    Path("unknown").write_text("no.such.property=1\n")
    code, _, err = cli(*BASE, *more)
    assert code == 2
    assert message in err


def test_a_missing_extra_is_named(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    code, _, err = cli(*BASE, "-o", tmp_path / "x.jsonl")
    assert code == 2
    assert "pip install 'galaxy-edge[kafka]'" in err
