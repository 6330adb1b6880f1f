"""The user's own columns in every output, and what happens to names that are taken."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxy_edge import Predictor, Source, UsageError
from galaxy_edge import job as jobs
from galaxy_edge.inputs.kept import Kept, plain, text
from galaxy_edge.outputs import columnar
from galaxy_edge.outputs.kept import as_kind, kinds_of
from galaxy_edge.outputs.output import opened
from galaxy_edge.outputs.text import csv_text
from galaxy_edge.results import columns
from tests.conftest import encoded, galaxy

Cli = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[3]
KEPT = ("ra", "n", "name", "flag", "mixed", "none")
VALUES = (
    (150.25, 2**62, "M 51", True, 1, None),
    (None, None, None, None, None, None),
    (-3.0, -1, '=1+1, "x"\n', False, 2.5, None),
    (1e-300, 0, "\u03b1 ", True, "x", None),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)
#: Columns as tables have them, and some of mixed values.
pure = (st.integers(-(2**63) + 1, 2**63 - 1), floats, texts, st.booleans())
column = st.one_of(
    *(st.lists(st.none() | one, max_size=6) for one in pure),
    st.lists(st.none() | st.integers() | floats | texts | st.booleans(), max_size=6),
)


@pytest.fixture(scope="module")
def predictor(model_file: Path) -> Predictor:
    return Predictor(model_file)


def sources(values: Sequence[Sequence[Kept]] = VALUES) -> list[Source]:
    return [
        Source(
            encoded(galaxy(n)) if n != 1 else b"x",
            id=f"g{n}",
            kept=dict(zip(KEPT, row, strict=True)),
        )
        for n, row in enumerate(values)
    ]


def write(predictor: Predictor, path: Path, inputs: list[Source], *, resuming=False) -> bytes:
    form = path.suffix[1:]
    with opened(path, form, jobs.origin(predictor, KEPT), resuming=resuming) as output:
        jobs.run(inputs, predictor, output)
    return path.read_bytes()


def test_every_format_has_the_columns(predictor: Predictor, tmp_path: Path):
    for form in ("jsonl", "csv", "parquet", "fits"):
        write(predictor, tmp_path / f"x.{form}", sources())
    names = columns(("Fake", "Real"), KEPT)
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [tuple(line) for line in lines] == [names] * 4
    assert [tuple(line[name] for name in KEPT) for line in lines] == [*VALUES]

    (head, *rows) = csv.reader(io.StringIO((tmp_path / "x.csv").read_text(), newline=""))
    assert tuple(head) == names
    assert [csv_text(cell) for cell in rows[0][-6:]] == [
        "150.25", str(2**62), "M 51", "true", "1", "",
    ]  # fmt: skip
    assert csv_text(rows[2][-4]) == VALUES[2][2]

    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "x.parquet")
    assert tuple(table.schema.names) == names
    assert [str(table.schema.field(name).type) for name in KEPT] == [
        "double", "int64", "string", "bool", "string", "string",
    ]  # fmt: skip
    assert table["mixed"].to_pylist() == ["1", None, "2.5", "x"]
    assert table["flag"].to_pylist() == [True, None, False, True]

    found = Table.read(tmp_path / "x.fits")
    assert tuple(found.colnames) == names
    assert list(found["n"]) == [2**62, np.ma.masked, -1, 0]
    assert [*map(str, found["flag"])] == ["true", "--", "false", "true"]
    assert found["ra"][0] == 150.25


def test_rows_with_own_columns_match_the_schema(predictor: Predictor):
    schema = json.loads((ROOT / "galaxy_edge" / "outputs" / "row.schema.json").read_text())
    for prediction in predictor.predict_many(sources()):
        jsonschema.validate(prediction.row(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(prediction.row() | {"ra": [1.0]}, schema)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "fits"])
def test_resuming_gives_the_undisturbed_file(predictor: Predictor, tmp_path: Path, form: str):
    whole = write(predictor, tmp_path / f"whole.{form}", sources())
    for count in range(5):
        path = tmp_path / f"{count}.{form}"
        write(predictor, path, sources()[:count])
        assert write(predictor, path, sources(), resuming=True) == whole


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "fits"])
def test_rows_with_other_columns_are_not_resumed(predictor: Predictor, tmp_path: Path, form: str):
    path = tmp_path / f"x.{form}"
    before = write(predictor, path, sources())
    with (
        pytest.raises(UsageError, match="cannot be resumed"),
        opened(path, form, jobs.origin(predictor, ("ra",)), resuming=True),
    ):
        pass
    assert path.read_bytes() == before


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(column, st.integers(0, 6))
@pytest.mark.parametrize("form", ["parquet", "fits"])
def test_a_table_written_in_two_parts_equals_one_written_at_once(
    tmp_path_factory: pytest.TempPathFactory, form: str, values: list[Kept], place: int
):
    folder = tmp_path_factory.mktemp("x")
    first, second, whole = (folder / f"{name}.{form}" for name in ("first", "second", "whole"))
    write_column = partial(columnar.write, form=form, names=("own",), kept=("own",))

    def rows(some):
        return lambda: iter([{"own": value} for value in some])

    write_column(first, rows=rows(values[:place]))
    back = [row["own"] for row in columnar.read(first, form, ("own",), ("own",))]
    write_column(second, rows=rows(back + values[place:]))
    write_column(whole, rows=rows(values))
    assert second.read_bytes() == whole.read_bytes()


@given(column)
def test_a_column_of_one_type_keeps_its_values(values: list[Kept]):
    kind = kinds_of([{"own": value} for value in values], ("own",))["own"]
    types = {type(value) for value in values if value is not None}
    for value in values:
        if len(types) <= 1 and not (types == {int} and kind == "text"):
            assert as_kind(value, kind) == value
        elif kind == "text" and value is not None:
            assert as_kind(value, kind) == text(value)


@pytest.mark.parametrize("name", ["id", "score", "sha256", "p_el", "p_Fake"])
def test_a_taken_name_is_a_usage_error(name: str, model_file: Path, cli: Cli):
    code, out, err = cli(
        "predict", "a.png", "-m", model_file, "--keep", f"ra,{name}", "--format", "csv"
    )
    assert (code, out) == (2, "")
    assert f"{name} cannot be kept" in err
    with pytest.raises(UsageError, match="cannot be kept"):
        columns(("Fake", "Real"), ("ra", "ra"))


def test_a_table_for_people_has_no_own_columns(cli: Cli):
    code, _, err = cli("predict", "a.png", "--keep", "ra")
    assert code == 2
    assert "--keep" in err


def test_plain_files_have_empty_own_columns(model_file: Path, cli: Cli):
    example = ROOT / "examples" / "gan_0.png"
    code, out, _ = cli("predict", example, "-m", model_file, "--keep", "ra", "--format", "jsonl")
    assert code == 0
    assert json.loads(out)["ra"] is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(150.1), 150.1), (np.int64(2**62), 2**62), (np.bool_(True), True),
        (np.array(3), 3), (float("nan"), None), (np.float64("inf"), None), (np.ma.masked, None),
        (b"M51", "M51"), (b"\xff", "\\xff"), ([1, 2], "[1, 2]"), ({"a": None}, '{"a": null}'),
        (np.array([1.5, 2.5]), "[1.5, 2.5]"), (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.str_("x"), "x"), (np.bytes_(b"x"), "x"), ([1.5, float("nan")], "[1.5, null]"),
        ({"a": b"x", "b": float("inf")}, '{"a": "x", "b": null}'),
    ],
)  # fmt: skip
def test_values_become_plain(value: object, expected: Kept):
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)
