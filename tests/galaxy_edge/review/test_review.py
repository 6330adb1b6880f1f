"""Rows of every format, their order, and two runs beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from galaxy_edge.errors import UsageError
from galaxy_edge.review.labels import LabelFile
from galaxy_edge.review.measures import difference, uncertainty
from galaxy_edge.review.review import Review, Wanted, joined
from galaxy_edge.review.rows import Row, Run, read

Cli = Callable[..., tuple[int, str, str]]


def row(name: str = "a", score: float | None = 0.9, label: str = "Real", **more: object) -> Row:
    values = {"probabilities": (), "typicality": None, "threshold": 0.5, "status": "ok"} | more
    return Row(id=name, path=name, error="", label=label, score=score, **values)  # type: ignore[arg-type]


def run(*rows: Row, classes: tuple[str, ...] = ()) -> Run:
    return Run(Path("run.csv"), rows, classes, "m.onnx", "0" * 64)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "fits"])
def test_every_format_of_predict_is_read(
    tmp_path: Path, cli: Cli, model_file: Path, form: str
) -> None:
    for name in ("=1.png", "good.png"):
        Image.new("RGB", (16, 16), (90, 30, 200)).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"no image")
    names = ["=1.png", "good.png", "bad.png"]
    images = [tmp_path / name for name in names]
    output = tmp_path / f"rows.{form}"
    assert cli("predict", *images, "-m", model_file, "-o", output, "-q")[0] == 1
    found = read(output)
    assert [Path(one.path).name for one in found.rows] == names
    assert [one.status for one in found.rows] == ["ok", "ok", "error"]
    assert found.rows[2].score is None
    assert found.rows[2].error
    assert 0 <= (found.rows[0].score or -1) <= 1
    assert (found.model, len(found.model_sha256)) == ("tiny.onnx", 64)
    assert all(one.typicality is None for one in found.rows)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    line = {"id": "a", "path": "a", "status": "ok", "label": "Real", "score": 0.5}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(line)[:20])
    assert len(read(tmp_path / "rows.jsonl").rows) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", "path,label\na.png,Real\n", "no column status"),
        ("rows.csv", "path,status,label,score\n", "no rows"),
        ("rows.csv", "path,status,label,score\na,ok,Real,high\n", "not a file of rows"),
        ("rows.jsonl", "[1]\n", "not a file of rows"),
        ("rows.jsonl", "{\n", "not a file of rows"),
        ("rows.parquet", "text", "parquet"),
        ("rows.txt", "", "not a file of rows"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read(tmp_path / "rows.csv")


def test_uncertainty_is_the_distance_from_the_decision() -> None:
    assert uncertainty(row(score=0.5)) == 1.0
    assert uncertainty(row(score=0.0)) == uncertainty(row(score=1.0)) == 0.0
    assert uncertainty(row(score=0.95, threshold=0.9)) == pytest.approx(0.5)
    assert uncertainty(row(score=0.45, threshold=0.9)) == pytest.approx(0.5)
    assert uncertainty(row(score=0.0, threshold=0.0)) == 1.0
    assert uncertainty(row(probabilities=(0.2, 0.5, 0.3), threshold=None)) == pytest.approx(0.8)
    assert uncertainty(row(score=None, status="error")) is None


def test_difference_is_the_total_variation() -> None:
    two, three = run(), run(classes=("a", "b", "c"))
    assert difference(row(score=0.9), row(score=0.2), two, two) == pytest.approx(0.7)
    one, other = row(probabilities=(1.0, 0.0, 0.0)), row(probabilities=(0.5, 0.25, 0.25))
    assert difference(one, other, three, three) == 0.5
    assert difference(one, row(probabilities=(1.0, 0.0)), three, run(classes=("a", "z"))) == 0.0
    assert difference(one, row(label="Fake"), three, two) == 1.0
    assert difference(row(), row(score=None), two, two) is None


def test_runs_are_joined_by_identifier_and_in_order() -> None:
    first = run(row("a", 0.1), row("b", 0.2), row("b", 0.3), row("c", 0.4))
    second = run(row("b", 0.5), row("a", 0.6), row("b", 0.7), row("d", 0.8))
    pairs, alone = joined(first, second)
    assert [(one.score, other.score) for one, other in pairs] == [
        (0.1, 0.6),
        (0.2, 0.5),
        (0.3, 0.7),
    ]
    assert alone == 2
    with pytest.raises(UsageError, match="no input in common"):
        joined(first, run(row("z")))


@pytest.fixture
def review(tmp_path: Path):
    rows = (
        row("a", 0.6, typicality=0.3),
        row("b", 0.1, "Fake", typicality=0.9),
        row("c", None, "", status="error"),
        row("d", 0.97, "", status="out_of_distribution", typicality=0.0),
    )
    with LabelFile(tmp_path / "labels.csv") as labels:
        yield Review((run(*rows),), [(one,) for one in rows], ("Fake", "Real"), labels, tmp_path)


def test_rows_are_sorted_and_those_without_a_value_come_last(review: Review) -> None:
    assert review.order(Wanted()) == [0, 1, 3, 2]
    assert review.order(Wanted("uncertainty", descending=False)) == [3, 1, 0, 2]
    assert review.order(Wanted("typicality", descending=False)) == [3, 0, 1, 2]
    assert review.order(Wanted("verdict", descending=False)) == [1, 0, 2, 3]
    assert review.order(Wanted("file", descending=False)) == [0, 1, 2, 3]
    assert review.order(Wanted("score")) == [3, 0, 1, 2]


def test_rows_are_filtered(review: Review) -> None:
    review.set([(0, "Fake"), (1, "Fake")])
    assert review.order(Wanted(verdict="Real")) == [0]
    assert review.order(Wanted(status="error")) == [2]
    assert review.order(Wanted(labelled="no")) == [3, 2]
    assert review.order(Wanted(labelled="yes")) == [0, 1]
    assert review.order(Wanted(labelled="changed")) == [0]
    assert review.order(Wanted(text="D")) == [3]
    assert review.counts() == {"labelled": 2, "changed": 1}


def test_only_rows_and_classes_of_the_run_can_be_labelled(review: Review) -> None:
    for number, label in ((4, "Real"), (-1, "Real"), (0, "Star")):
        with pytest.raises(UsageError):
            review.set([(1, "Real"), (number, label)])
    assert review.counts()["labelled"] == 0


def test_a_hundred_thousand_rows_are_sorted_and_labelled(tmp_path: Path) -> None:
    rows = [row(str(one), one % 1000 / 1000) for one in range(100_000)]
    with LabelFile(tmp_path / "labels.csv") as labels:
        review = Review((run(*rows),), [(one,) for one in rows], ("Fake", "Real"), labels)
        review.set([(one, "Fake") for one in range(100_000)])
        assert review.counts() == {"labelled": 100_000, "changed": 100_000}
        assert len(review.order(Wanted(labelled="yes"))) == 100_000
    with LabelFile(tmp_path / "labels.csv") as labels:
        assert len(labels.labels) == 100_000
