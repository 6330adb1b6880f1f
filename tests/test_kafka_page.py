"""The page "Kafka": its script and commands run, on drawn and on real cutouts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.following import commands_in, follow
from tests.galaxy_edge.inputs.kafka.broker import Broker
from tests.pages import steps
from tests.systems import posix

pytest.importorskip("confluent_kafka", reason="the extra `kafka` is not installed")
COUNT = 12


@posix
@pytest.mark.parametrize("kind", ["drawn", "real"])
def test_the_page(
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    cli: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutouts").mkdir()
    if kind == "real":
        folder = request.getfixturevalue("shared") / "galaxies64" / "Valid" / "Real"
        for path in sorted(folder.iterdir())[:COUNT]:
            shutil.copyfile(path, tmp_path / "cutouts" / f"{path.stem}.jpg")
    else:
        for seed in range(COUNT):
            (tmp_path / "cutouts" / f"{seed}.png").write_bytes(encoded(galaxy(seed, 64)))
    broker = Broker()
    try:
        *consumers, script = [
            replace(step, text=step.text.replace("localhost:9092", broker.address))
            for step in steps("docs/kafka.md")
        ]
        follow([script], cli)
        for step in consumers:
            (words,) = commands_in(step.text)
            consuming = subprocess.Popen([sys.executable, "-m", "galaxy_edge", *words, "-q"])
            end = time.monotonic() + 240
            while broker.committed("cutouts", words[words.index("--group") + 1]) < COUNT:
                assert time.monotonic() < end
                time.sleep(0.1)
            consuming.send_signal(signal.SIGTERM)
            assert consuming.wait(240) == 143
        rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
        assert not [row for row in rows if row["status"] == "error"]
        names = sorted(path.stem for path in Path("cutouts").iterdir())
        assert sorted(row["id"] for row in rows) == names
        sent = [json.loads(one.value()) for one in broker.read("verdicts", COUNT)]
        assert sorted(sent, key=lambda row: row["path"]) == sorted(
            rows, key=lambda row: row["path"]
        )
    finally:
        broker.close()
