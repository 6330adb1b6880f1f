"""The page "Other engines": its recipes for Dask, Slurm and Kubernetes run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.following import commands_in
from tests.galaxy_edge.survey.sources import in_order, rows_in, rows_of, tables
from tests.pages import ROOT, steps

pq = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")

Cli = Callable[..., tuple[int, str, str]]
PAGE = (ROOT / "docs" / "other-engines.md").read_text(encoding="utf-8")
PARTS, ROWS = 3, 5


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tables(tmp_path / "cutouts", PARTS, ROWS)
    return tmp_path


def expected(cli: Cli) -> list[dict]:
    words = ("--image-column", "image", "--id-column", "object_id", "-q", "-o", "rows.parquet")
    cli("predict", "cutouts", *words)
    return rows_of(Path("rows.parquet"))


def test_dask(folder: Path, cli: Cli):
    pytest.importorskip("dask.dataframe", reason="Dask is not installed")
    (recipe,) = steps("docs/other-engines.md", "Dask")
    (folder / "recipe.py").write_text(recipe.text)
    subprocess.run([sys.executable, "recipe.py"], check=True, timeout=120)
    found = pq.read_table("verdicts").to_pylist()
    names = ("id", "status", "error", "label", "score", "typicality")
    rows = [{name: row[name] for name in names} for row in expected(cli)]
    assert len(rows) == PARTS * ROWS
    got = [{name: row[name] for name in names} for row in found]
    assert sorted(got, key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])


def test_slurm(folder: Path, cli: Cli):
    (step,) = steps("docs/other-engines.md", "Slurm")
    assert "#SBATCH --array=1-16\n" in PAGE
    assert step.text.endswith("--shard $SLURM_ARRAY_TASK_ID/16")
    for number in range(1, 17):
        (words,) = commands_in(step.text, SLURM_ARRAY_TASK_ID=str(number))
        assert cli(*words)[0] == 0
    assert rows_in(folder / "verdicts") == in_order(expected(cli))


def test_kubernetes(folder: Path, cli: Cli):
    """Each pod runs the same command; here a folder stands for the bucket."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (step,) = steps("docs/other-engines.md", "Kubernetes")
    job = yaml.safe_load(step.text)
    assert (job["kind"], job["spec"]["completions"]) == ("Job", 16)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program, *words = container["command"] + container["args"]
    assert program == "galaxy-edge"
    places = {"s3://night/cutouts/": "cutouts", "s3://verdicts/2026/": "verdicts"}
    for _ in range(2):
        assert cli(*(places.get(word, word) for word in words))[0] == 0
    assert rows_in(folder / "verdicts") == in_order(expected(cli))
