from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxy_edge import UsageError
from galaxy_edge.outputs.columnar import check, read, stored, write
from galaxy_edge.results import COLUMNS, Prediction
from tests.galaxy_edge.test_results import failed, good

FORMS = ("parquet", "fits")
anything = st.text(st.characters(exclude_categories=()))
rows = st.lists((good | failed).map(asdict), max_size=5)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def row(**values: Any) -> dict[str, Any]:
    prediction = Prediction("a.png", "ok", None, "Real", 0.5, 0.5, "m.onnx", "ab", "p")
    return asdict(prediction) | values


@in_one_folder
@given(rows, st.sampled_from(FORMS))
def test_what_is_written_is_read(tmp_path: Path, table: list[dict[str, Any]], form: str):
    path = tmp_path / f"x.{form}"
    write(path, form, lambda: iter(table))
    expected = [
        {
            name: stored(value, form) or None if isinstance(value, str) else value
            for name, value in one.items()
        }
        | {"score": None if one["score"] is None else float(str(np.float32(one["score"])))}
        for one in table
    ]
    assert list(read(path, form)) == expected


@given(anything, st.sampled_from(FORMS))
def test_text_is_held_safely(text: str, form: str):
    kept = stored(text, form)
    assert stored(kept, form) == kept
    kept.encode("utf-8")
    if form == "fits":
        assert kept.isascii()
        assert kept.isprintable()
        assert kept == kept.rstrip(" ")


def test_ordinary_names_stay_as_they_are():
    assert stored("night 1/é.png", "parquet") == "night 1/é.png"
    assert stored("night 1/a.png", "fits") == "night 1/a.png"
    assert stored("é\n.png ", "fits") == "\\xe9\\x0a.png\\x20"
    assert stored("\udcff.png", "parquet") == "\\udcff.png"


def test_a_parquet_table_is_typed_and_in_blocks(tmp_path: Path):
    path = tmp_path / "x.parquet"
    write(path, "parquet", lambda: (row(path=f"{n}.png", score=None) for n in range(10_001)))
    file = pq.ParquetFile(path)
    assert (file.metadata.num_rows, file.num_row_groups) == (10_001, 2)
    assert tuple(file.schema_arrow.names) == COLUMNS
    types = {field.name: field.type for field in file.schema_arrow}
    assert (types["score"], types["path"]) == (pa.float32(), pa.string())
    assert pq.read_table(path)["score"].null_count == 10_001


def test_a_fits_table_is_read_by_astropy(tmp_path: Path):
    path = tmp_path / "x.fits"
    table = [row(path=f"{n}.png", score=n / 20_000) for n in range(10_001)]
    table.append(row(status="error", error="empty", label=None, score=None))
    write(path, "fits", lambda: iter(table))
    found = Table.read(path)
    assert tuple(found.colnames) == COLUMNS
    assert len(found) == 10_002
    assert found["path"][10_000] == "10000.png"
    assert found["score"][10_000] == np.float32(0.5)
    assert np.ma.is_masked(found["score"][-1]) or np.isnan(found["score"][-1])
    assert found["error"][-1] == "empty"
    # As the standard wants it: whole blocks of 2,880 bytes.
    assert path.stat().st_size % 2880 == 0


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_table_and_one_that_is_none(tmp_path: Path, form: str):
    path = tmp_path / f"x.{form}"
    write(path, form, lambda: iter(()))
    assert list(read(path, form)) == []
    path.write_bytes(b"rubbish")
    with pytest.raises(UsageError, match="table of results"):
        list(read(path, form))


@pytest.mark.parametrize(("form", "module"), [("parquet", "pyarrow"), ("fits", "astropy")])
def test_a_library_that_is_missing_is_named_at_once(form: str, module: str, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == module:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"galaxy-edge\[{form}\]"):
        check(form)
