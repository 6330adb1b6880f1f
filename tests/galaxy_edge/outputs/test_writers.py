"""Every format has the columns and the rows that docs/rows.md and the JSON Schema specify."""

from __future__ import annotations

import csv
import io
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxy_edge.decision import Scores
from galaxy_edge.outputs import columnar
from galaxy_edge.outputs.text import csv_text
from galaxy_edge.outputs.writers import CsvWriter, JsonLinesWriter, TableWriter
from galaxy_edge.results import Prediction, columns, is_number
from tests.galaxy_edge.outputs.strategies import MANY, PAIR, predictions

SCHEMA = json.loads((resources.files("galaxy_edge.outputs") / "row.schema.json").read_text())
PAGE = (Path(__file__).parents[3] / "docs" / "rows.md").read_text(encoding="utf-8")
validator = jsonschema.Draft202012Validator(SCHEMA)
both = st.sampled_from((PAIR, MANY)).flatmap(
    lambda classes: st.tuples(st.just(classes), predictions(classes))
)


def written(
    form: str, classes: tuple[str, ...], rows: list[Prediction], *, colour: bool = False
) -> str:
    stream = io.StringIO(newline="")
    out = {
        "jsonl": lambda: JsonLinesWriter(stream),
        "csv": lambda: CsvWriter(stream, columns(classes)),
        "table": lambda: TableWriter(stream, classes, colour=colour),
    }[form]()
    for row in rows:
        out.write(row)
    return stream.getvalue()


def test_the_table_for_many_classes_shows_the_best_two():
    row = Prediction(
        "a.png", "a.png", "uncertain", None, None, 0.5, Scores(MANY, (0.1, 0.5, 0.4)), None, 0.6,
        "m.onnx", "0" * 64, "CPU",
    )  # fmt: skip
    stream = io.StringIO()
    TableWriter(stream, MANY, ("error", "uncertain")).write(row)
    lines = stream.getvalue().splitlines()
    assert lines[0].split() == ["verdict", "best", "two", "path"]
    assert f"{MANY[1]} 0.5000, {MANY[2]} 0.4000" in lines[1]
    assert lines[0].index("path") == lines[1].index("a.png")


@pytest.mark.parametrize("status", ["uncertain", "out_of_distribution"])
def test_the_table_has_no_score_of_an_image_that_the_model_does_not_know(status: str):
    row = Prediction(
        "a.png", "a.png", status, None, None, 0.25, Scores(("Fake", "Real"), (0.75, 0.25)), None,
        0.001, "m.onnx", "0" * 64, "CPU",
    )  # fmt: skip
    line = written("table", ("Fake", "Real"), [row]).splitlines()[1]
    assert line.split() == [status, "0.2500" if status == "uncertain" else "-", "a.png"]


def csv_rows(text: str) -> list[dict[str, Any]]:
    return [
        {
            name: None if value == "" else float(value) if is_number(name) else csv_text(value)
            for name, value in row.items()
        }
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def read_back(form: str, path: Path, classes: tuple[str, ...], rows: list[Prediction]) -> list:
    if form == "jsonl":
        return [json.loads(line) for line in written(form, classes, rows).splitlines()]
    if form == "csv":
        return csv_rows(written(form, classes, rows))
    names = columns(classes)
    columnar.write(path, form, names, lambda: (row.row() for row in rows))
    return list(columnar.read(path, form, names))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(both, st.sampled_from(("jsonl", "csv", "parquet", "fits")))
def test_every_format_writes_rows_of_the_schema(
    tmp_path: Path, given_: tuple[tuple[str, ...], list[Prediction]], form: str
):
    classes, rows = given_
    found = read_back(form, tmp_path / f"x.{form}", classes, rows)
    assert len(found) == len(rows)
    for row, prediction in zip(found, rows, strict=True):
        assert tuple(row) == columns(classes)
        validator.validate(row)
        expected = prediction.row()
        if form in ("parquet", "fits"):
            # Text that the format cannot hold is escaped.
            expected = {
                name: columnar.stored(value, form) or None if isinstance(value, str) else value
                for name, value in expected.items()
            }
        assert row == expected


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"label": None},
        {"score": None},
        {"score": 1.5},
        {"error": "but it was read"},
        {"model_sha256": "AB"},
        {"ra": [150.1]},
        {"p_Real": "0.5"},
        {"status": "uncertain"},
        {"status": "error", "label": None},
    ],
)
def test_the_schema_refuses_a_wrong_row(change: dict[str, object]):
    row = {
        "id": "a.png", "path": "a.png", "status": "ok", "error": None, "label": "Real",
        "score": 0.9, "typicality": None, "threshold": 0.5, "model": "m.onnx",
        "model_sha256": "ab" * 32, "provider": "CPUExecutionProvider", "sha256": None,
    }  # fmt: skip
    validator.validate(row)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(row | change)


def test_the_page_and_the_schema_list_the_columns_in_order():
    specified = [name for name in columns(("a", "b", "c")) if not name.startswith("p_")]
    assert [*SCHEMA["properties"]] == specified == SCHEMA["required"]
    table = PAGE.partition("## Statuses")[0]
    on_page = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    place = on_page.index("p_CLASS")
    assert on_page[:place] + on_page[place + 1 :] == specified
    assert on_page[place - 1] == "score"


@given(both)
def test_json_lines_are_ascii_with_one_line_per_row(
    given_: tuple[tuple[str, ...], list[Prediction]],
):
    lines = written("jsonl", *given_).splitlines()
    assert len(lines) == len(given_[1])
    assert all(line.isascii() for line in lines)


@given(both)
def test_the_table_has_a_header_and_one_line_per_row(
    given_: tuple[tuple[str, ...], list[Prediction]],
):
    text = written("table", *given_)
    assert len(text.splitlines()) == len(given_[1]) + 1
    assert "\x1b" not in text
    scores = "score" if len(given_[0]) == 2 else "best two"
    assert re.match(rf"verdict +{scores} +path\n", text)


def test_the_table_shows_verdicts_and_reasons():
    from galaxy_edge.decision import Scores

    def row(path: str, status: str, error: str | None, label: str | None, score: float | None):
        values = None if score is None else [1 - score, score]
        return Prediction(
            id=path, path=path, status=status, error=error, label=label, score=score,
            scores=Scores(PAIR, values), typicality=None, threshold=0.5, model="m",
            model_sha256="ab", provider="p",
        )  # fmt: skip

    rows = [
        row("a.png", "ok", None, "Real", 0.98765),
        row("b\n.png", "error", "empty", None, None),
        row("c.png", "uncertain", None, None, 0.5),
    ]
    assert written("table", PAIR, rows).splitlines()[1:] == [
        "Real     0.9877  a.png",
        "error         -  b\\n.png: empty",
        "uncertain  0.5000  c.png",
    ]
    assert "\x1b[32mReal" in written("table", PAIR, rows, colour=True)
