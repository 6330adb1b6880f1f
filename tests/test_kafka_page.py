"""The page "Kafka": its script and commands run, on drawn and on real cutouts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.kafka.broker import Broker
from tests.systems import posix

pytest.importorskip("confluent_kafka", reason="the extra `kafka` is not installed")
PAGE = (Path(__file__).parents[1] / "docs" / "kafka.md").read_text(encoding="utf-8")
COUNT = 12


@posix
@pytest.mark.parametrize("kind", ["drawn", "real"])
def test_the_page(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
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
        script, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        here = script.replace("localhost:9092", broker.address)
        exec(compile(here, "kafka.md", "exec"), {})  # noqa: S102 - our own page
        block, *_ = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()[1:]:
            words = shlex.split(line.replace("localhost:9092", broker.address))[1:]
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
