"""The kept columns have one type in all parts of a survey, or a part is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import encoded, galaxy

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def add(tmp_path: Path, model_file: Path, cli: Cli) -> Callable[..., tuple[int, str, str]]:
    """Adds a container with these values in the column `z`, and runs the survey."""
    folder = tmp_path / "tables"
    folder.mkdir()

    def run(values: list[Any], kind: Any = None) -> tuple[int, str, str]:
        number = len([*folder.iterdir()])
        images = [encoded(galaxy(number * 10 + row)) for row in range(len(values))]
        # Later parts come first by name, as readers of tables take them.
        path = folder / f"{9 - number}.parquet"
        pq.write_table(pa.table({"image": images, "z": pa.array(values, kind)}), path)
        options = ["--image-column", "image", "--keep", "z", "-m", model_file, "-q"]
        return cli("survey", f"{folder}/*.parquet", *options, "-o", tmp_path / "verdicts")

    return run


def kept(tmp_path: Path) -> list[Any]:
    """All values, as one table has them."""
    paths = sorted((tmp_path / "verdicts" / "rows").iterdir(), reverse=True)
    assert len({pq.read_schema(path) for path in paths}) == 1
    return pq.read_table(tmp_path / "verdicts" / "rows").sort_by([("path", "descending")])["z"]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        # Nothing is known of it but what the file declares.
        (([None, None], pa.float64()), ([0.5, None], pa.float64()), pa.float64()),
        (([None, None], pa.int32()), ([7, 8], pa.int32()), pa.int64()),
        (([None], pa.string()), (["a"], pa.string()), pa.string()),
        (([0.5], None), ([None, None], pa.null()), pa.float64()),
        (([0.5], None), ([1, 2**53], None), pa.float64()),
        ((["a"], None), ([1, 2], None), pa.string()),
        (([True], None), ([None], pa.bool_()), pa.bool_()),
    ],
)
def test_all_parts_have_one_type(first: Any, second: Any, kind: Any, add: Any, tmp_path: Path):
    assert add(*first)[0] == 0
    code, _, err = add(*second)
    assert code == 0, err
    column = kept(tmp_path)
    assert column.type == kind
    values = [*reversed(first[0]), *reversed(second[0])]
    text = pa.types.is_string(kind)
    assert column.to_pylist() == [str(one) if text and one is not None else one for one in values]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([1], ["a"], "the column z holds text here, but int"),
        ([1], [0.5], "the column z holds float here, but int"),
        ([0.5], [2**53 + 1], "the column z holds int here, but float"),
        ([True], [1], "the column z holds int here, but bool"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(
    first: list[Any], second: list[Any], words: str, add: Any, tmp_path: Path
):
    assert add(first)[0] == 0
    code, _, err = add(second)
    assert code == 2
    assert words in err
    assert "give it one type in all files of the source, or leave it out of --keep" in err
    assert kept(tmp_path).to_pylist() == first


def test_a_part_without_any_value_and_type_decides_nothing(add: Any, tmp_path: Path):
    add([None], pa.null())
    assert add([0.5])[0] == add([1.5])[0] == 0
    types = [
        pq.read_schema(path).field("z").type for path in (tmp_path / "verdicts").glob("rows/*")
    ]
    assert sorted(map(str, types)) == ["double", "double", "string"]
    # Readers of all tables take both, because the text has no value.
    table = pq.read_table(tmp_path / "verdicts" / "rows")
    assert sorted(table["z"].drop_null().cast(pa.float64()).to_pylist()) == [0.5, 1.5]


def test_a_damaged_file_of_types_is_an_error(add: Any, tmp_path: Path):
    add([1])
    (tmp_path / "verdicts" / "columns" / "0.json").write_text("{}")
    code, _, err = add([2])
    assert (code, "columns/0.json in" in err, "is damaged" in err) == (2, True, True)
