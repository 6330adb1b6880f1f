"""The page "Alert packets": its script and commands run, on drawn and on real packets."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.following import follow
from tests.galaxy_edge.inputs.containers import packets
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]
pytest.importorskip("fastavro", reason="the extra `alerts` is not installed")
#: What is added to a command of the page, so that it takes seconds.
SHORT = {
    "train": [*TINY, "--epochs", "1", "-q"],
    "export": ["-q"],
    "evaluate": ["--bootstrap", "20", "-q"],
}
COUNT = 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alerts").mkdir()
    return tmp_path


def test_the_page_on_drawn_packets(folder: Path, cli: Cli):
    with Path("labels.csv").open("w") as file:
        file.write("candid,label\n")
        for number in range(COUNT):
            alert = packets.ztf(number)
            del alert["label"]
            schema = packets.ZTF | {
                "fields": [field for field in packets.ZTF["fields"] if field["name"] != "label"]
            }
            packets.write(folder / "alerts" / f"{number}.avro", schema, [alert])
            file.write(f"{alert['candid']},{'real' if number % 2 else 'bogus'}\n")
    _, triplets = follow(steps("docs/alerts.md", "Alert packets"), cli)
    assert len(triplets.out.splitlines()) == COUNT
    with Path("science.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert {row["candidate.magpsf"] for row in rows} == {"18.5"}
    # The bundled model has never seen a stamp of an alert.
    assert {row["status"] for row in rows} == {"out_of_distribution"}
    ran = follow(steps("docs/alerts.md", "Training"), cli, SHORT)
    assert [done.name for done in ran] == ["train", "export", "evaluate", "predict"]
    verdicts = [json.loads(line) for line in Path("verdicts.jsonl").read_text().splitlines()]
    assert len(verdicts) == COUNT
    assert all(row["status"] != "error" for row in verdicts)


@pytest.mark.filterwarnings("ignore:Found a SIMPLE card")
def test_the_first_commands_on_real_packets(shared: Path, folder: Path, cli: Cli):
    for path in (shared / "alerts").glob("ztf*.avro"):
        shutil.copyfile(path, folder / "alerts" / path.name)
    _, triplets = follow(steps("docs/alerts.md", "Alert packets"), cli)
    assert [json.loads(line)["id"] for line in triplets.out.splitlines()] == [
        "739260766315010006", "472263571115115000",
    ]  # fmt: skip
    with Path("science.csv").open() as file:
        assert [row["objectId"] for row in csv.DictReader(file)] == ["ZTF17aaacxxf", "ZTF17aaajnnn"]
