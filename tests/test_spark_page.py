"""The page "Other engines": its recipe for Spark runs. .ci/run does not install Spark (500 MB)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import galaxy_edge_in_process
from tests.galaxy_edge.survey.sources import in_order, rows_of, tables
from tests.pages import everything

pytest.importorskip("pyspark", reason="PySpark is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")


def test_spark(tmp_path: Path):
    tables(tmp_path / "cutouts", 2, 4)
    (recipe,) = [
        step for step in everything("docs/other-engines.md") if step.name == "python in Spark"
    ]
    (tmp_path / "recipe.py").write_text(recipe.text)
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, "recipe.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=300)
    words = ("--image-column", "image", "--id-column", "object_id", "-q", "-o")
    galaxy_edge_in_process("predict", tmp_path / "cutouts", *words, tmp_path / "rows.parquet")
    names = ("status", "error", "label", "score", "typicality")
    expected = {
        row["id"]: [row[name] for name in names]
        for row in in_order(rows_of(tmp_path / "rows.parquet"))
    }
    found = {
        row["object_id"]: [row[name] for name in names]
        for row in pq.read_table(tmp_path / "verdicts").to_pylist()
    }
    assert len(found) == 8
    assert found == expected
