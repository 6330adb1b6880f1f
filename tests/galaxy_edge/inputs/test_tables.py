from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.tables import rows

ROWS = [{"file": "a b.png", "type": "spiral", "z": "0.5"}, {"file": "c.png", "type": "", "z": "1"}]
plain = st.text(st.characters(codec="ascii", exclude_categories=("C",)), max_size=9).map(str.strip)


def write(path: Path, table: list[dict[str, str]]) -> Path:
    columns = {name: [row[name] for row in table] for name in ("file", "type", "z")}
    if path.suffix == ".csv":
        import csv

        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(table)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        Table(columns).write(path, overwrite=True)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, suffix: str):
    path = write(tmp_path / f"x.{suffix}", ROWS)
    found = list(rows(path, ["type", "file"]))
    assert found == [{"type": row["type"], "file": row["file"]} for row in ROWS]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"file": plain, "type": plain, "z": plain}), min_size=1),
    st.sampled_from(["csv", "parquet", "fits"]),
)
def test_text_comes_back_as_it_was_written(tmp_path: Path, table: list, suffix: str):
    assert list(rows(write(tmp_path / f"x.{suffix}", table), ["file", "type", "z"])) == table


def test_numbers_and_missing_values_are_text(tmp_path: Path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"t": [3, None], "f": ["a", None]}), path)
    assert list(rows(path, ["t", "f"])) == [{"t": "3", "f": "a"}, {"t": "", "f": ""}]
    Table({"t": np.array([3, -1]), "f": ["a", "b"]}).write(tmp_path / "x.fits")
    assert [row["t"] for row in rows(tmp_path / "x.fits", ["t"])] == ["3", "-1"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_faults_name_the_table(tmp_path: Path, suffix: str):
    path = write(tmp_path / f"x.{suffix}", ROWS)
    with pytest.raises(UsageError, match="no column flavour; it has file, type, z"):
        list(rows(path, ["file", "flavour"]))
    if suffix != "csv":
        path.write_bytes(b"rubbish")
        with pytest.raises(UsageError, match=rf"x.{suffix} cannot be read"):
            list(rows(path, ["file"]))
    with pytest.raises(UsageError, match="not a known kind of table"):
        list(rows(tmp_path / "x.xlsx", ["file"]))
    with pytest.raises(FileNotFoundError):
        list(rows(tmp_path / f"absent.{suffix}", ["file"]))


@pytest.mark.parametrize(("suffix", "module"), [("parquet", "pyarrow"), ("fits", "astropy.io")])
def test_a_missing_library_is_named(tmp_path: Path, suffix: str, module: str, monkeypatch):
    path = write(tmp_path / f"x.{suffix}", ROWS)
    for name in list(sys.modules):
        if name == module or name.startswith(f"{module}."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"galaxy-edge\[{suffix}\]"):
        list(rows(path, ["file"]))
