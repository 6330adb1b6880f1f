from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.results import COLUMNS, CsvWriter, JsonLinesWriter, Prediction, TableWriter

LABELS = ("Fake", "Real")
paths = st.text(st.characters(exclude_categories=()), min_size=1)
failed = st.builds(
    Prediction, path=st.none() | paths, status=st.just("error"), error=st.text(min_size=1),
    label=st.none(), score=st.none(), threshold=st.just(0.5), model=st.just("m.onnx"),
    model_sha256=st.just("ab"), provider=st.just("CPUExecutionProvider"),
)  # fmt: skip
good = st.builds(
    Prediction, path=st.none() | paths, status=st.just("ok"), error=st.none(),
    label=st.sampled_from(LABELS), score=st.floats(0, 1), threshold=st.just(0.5),
    model=st.just("m.onnx"), model_sha256=st.just("ab"), provider=st.just("CPUExecutionProvider"),
)  # fmt: skip
predictions = st.lists(good | failed, max_size=5)


def written(form: str, rows: list[Prediction], *, colour: bool = False) -> str:
    stream = io.StringIO(newline="")
    out = {
        "jsonl": lambda: JsonLinesWriter(stream),
        "csv": lambda: CsvWriter(stream),
        "table": lambda: TableWriter(stream, LABELS, colour=colour),
    }[form]()
    for row in rows:
        out.write(row)
    return stream.getvalue()


def test_the_columns_are_those_of_the_design():
    assert COLUMNS == (
        "path", "status", "error", "label", "score", "threshold", "model", "model_sha256",
        "provider", "sha256",
    )  # fmt: skip


@given(predictions)
def test_json_lines_round_trip(rows: list[Prediction]):
    lines = written("jsonl", rows).splitlines()
    assert [Prediction(**json.loads(line)) for line in lines] == rows
    assert all(line.isascii() for line in lines)


@given(predictions)
def test_csv_round_trips(rows: list[Prediction]):
    text = written("csv", rows)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.splitlines()[0] == ",".join(COLUMNS)
    expected = [
        {name: "" if (value := getattr(row, name)) is None else str(value) for name in COLUMNS}
        for row in rows
    ]
    assert read == expected


@given(predictions)
def test_the_table_has_a_line_each_under_its_header(rows: list[Prediction]):
    text = written("table", rows)
    assert len(text.splitlines()) == len(rows) + 1
    assert "\x1b" not in text
    assert text.startswith("verdict   score  path\n")


def test_the_table_shows_verdicts_and_reasons():
    common = {"threshold": 0.5, "model": "m", "model_sha256": "ab", "provider": "p"}
    rows = [
        Prediction("a.png", "ok", None, "Real", 0.98765, **common),
        Prediction("b\n.png", "error", "empty", None, None, **common),
    ]
    assert written("table", rows).splitlines()[1:] == [
        "Real     0.9877  a.png",
        "error         -  b\\n.png: empty",
    ]
    assert "\x1b[32mReal" in written("table", rows, colour=True)
