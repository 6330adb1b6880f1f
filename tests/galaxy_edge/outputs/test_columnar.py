from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge import UsageError
from galaxy_edge.decision import Scores
from galaxy_edge.outputs.columnar import check, read, stored, write
from galaxy_edge.results import Prediction, columns
from tests.galaxy_edge.outputs.strategies import PAIR

FORMS = ("parquet", "fits")
anything = st.text(st.characters(exclude_categories=()))
COLUMNS = columns(PAIR)


def row(**values: Any) -> dict[str, Any]:
    prediction = Prediction(
        id="a.png", path="a.png", status="ok", error=None, label="Real", score=0.5,
        scores=Scores(PAIR, [0.5, 0.5]), typicality=None, threshold=0.5, model="m.onnx",
        model_sha256="ab", provider="p",
    )  # fmt: skip
    return prediction.row() | values


@given(anything, st.sampled_from(FORMS))
def test_escaped_text_fits_the_format(text: str, form: str):
    kept = stored(text, form)
    assert stored(kept, form) == kept
    kept.encode("utf-8")
    if form == "fits":
        assert kept.isascii()
        assert kept.isprintable()
        assert kept == kept.rstrip(" ")


def test_only_text_that_a_format_cannot_hold_is_escaped():
    assert stored("night 1/é.png", "parquet") == "night 1/é.png"
    assert stored("night 1/a.png", "fits") == "night 1/a.png"
    assert stored("é\n.png ", "fits") == "\\xe9\\x0a.png\\x20"
    assert stored("\udcff.png", "parquet") == "\\udcff.png"


def test_a_parquet_table_has_column_types_and_blocks_of_rows(tmp_path: Path):
    path = tmp_path / "x.parquet"
    write(
        path, "parquet", COLUMNS, lambda: (row(path=f"{n}.png", score=None) for n in range(10_001))
    )
    file = pq.ParquetFile(path)
    assert (file.metadata.num_rows, file.num_row_groups) == (10_001, 2)
    assert tuple(file.schema_arrow.names) == COLUMNS
    types = {field.name: field.type for field in file.schema_arrow}
    assert (types["score"], types["path"]) == (pa.float32(), pa.string())
    assert pq.read_table(path)["score"].null_count == 10_001


def test_astropy_reads_a_fits_table(tmp_path: Path):
    path = tmp_path / "x.fits"
    table = [row(path=f"{n}.png", score=n / 20_000) for n in range(10_001)]
    table.append(row(status="error", error="empty", label=None, score=None))
    write(path, "fits", COLUMNS, lambda: iter(table))
    found = Table.read(path)
    assert tuple(found.colnames) == COLUMNS
    assert len(found) == 10_002
    assert found["path"][10_000] == "10000.png"
    assert found["score"][10_000] == np.float32(0.5)
    assert np.ma.is_masked(found["score"][-1]) or np.isnan(found["score"][-1])
    assert found["error"][-1] == "empty"
    # The standard requires whole blocks of 2,880 bytes.
    assert path.stat().st_size % 2880 == 0


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_table_is_read_and_rubbish_is_refused(tmp_path: Path, form: str):
    path = tmp_path / f"x.{form}"
    write(path, form, COLUMNS, lambda: iter(()))
    assert list(read(path, form, COLUMNS)) == []
    path.write_bytes(b"rubbish")
    with pytest.raises(UsageError, match="table of these results"):
        list(read(path, form, COLUMNS))


@pytest.mark.parametrize(("form", "module"), [("parquet", "pyarrow"), ("fits", "astropy")])
def test_a_missing_library_is_reported_at_once(form: str, module: str, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == module:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"galaxy-edge\[{form}\]"):
        check(form, COLUMNS)
