"""The page "Alert packets": its script and commands run, on drawn and on real packets."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.galaxy_edge.inputs.containers import packets

Cli = Callable[..., tuple[int, str, str]]
pytest.importorskip("fastavro", reason="the extra `alerts` is not installed")
PAGE = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")
#: What is added to a command of the page, so that it takes seconds.
SHORT = {"train": [*TINY, "--epochs", "1"], "evaluate": ["--bootstrap", "20"]}
COUNT = 40


def commands(part: str) -> Iterator[list[str]]:
    for block in re.findall(r"```sh\n(.*?)```", part, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[0] == "galaxy-edge":
                yield words[1:]


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
    introduction, _, training = PAGE.partition("## Training")
    for words in commands(introduction):
        code, out, err = cli(*words)
        assert code == 0, err
    assert len(out.splitlines()) == COUNT
    with Path("science.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert {row["candidate.magpsf"] for row in rows} == {"18.5"}
    # The bundled model has never seen a stamp of an alert.
    assert {row["status"] for row in rows} == {"out_of_distribution"}
    (script,) = re.findall(r"```python\n(.*?)```", training, re.DOTALL)
    exec(compile(script, "alerts.md", "exec"), {})  # noqa: S102 - our own page
    ran = []
    for words in commands(training):
        code, _, err = cli(*words, *SHORT.get(words[0], ()), "--quiet")
        assert code == 0, err
        ran.append(words[0])
    assert ran == ["train", "export", "evaluate", "predict"]
    verdicts = [json.loads(line) for line in Path("verdicts.jsonl").read_text().splitlines()]
    assert len(verdicts) == COUNT
    assert all(row["status"] != "error" for row in verdicts)


@pytest.mark.filterwarnings("ignore:Found a SIMPLE card")
def test_the_first_commands_on_real_packets(shared: Path, folder: Path, cli: Cli):
    for path in (shared / "alerts").glob("ztf*.avro"):
        shutil.copyfile(path, folder / "alerts" / path.name)
    for words in commands(PAGE.partition("## Stretch")[0]):
        code, out, err = cli(*words)
        assert code == 0, err
    assert [json.loads(line)["id"] for line in out.splitlines()] == [
        "739260766315010006", "472263571115115000",
    ]  # fmt: skip
    with Path("science.csv").open() as file:
        assert [row["objectId"] for row in csv.DictReader(file)] == ["ZTF17aaacxxf", "ZTF17aaajnnn"]
