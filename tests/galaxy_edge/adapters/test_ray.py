"""A dataset of Ray, classified: its rows equal those of one predictor on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_edge import Predictor, UsageError
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.survey.sources import in_order, tables
from tests.pages import steps

pytest.importorskip("ray", reason="the extra `ray` is not installed")
import pyarrow as pa
import pyarrow.parquet as pq
import ray.data

from galaxy_edge.adapters.ray import classify

ROOT = Path(__file__).parents[3]
# Ray itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def shortest(value: float | None) -> float | None:
    """A number in single precision, as tables hold it."""
    return None if value is None else float(str(np.float32(value)))


def blocks_of(dataset: Any) -> list[Any]:
    return ray.get(dataset.to_arrow_refs(), timeout=60)


def rows_of(dataset: Any) -> list[dict[str, Any]]:
    return compared(pa.concat_tables(blocks_of(dataset)).to_pylist())


def local(predictor: Predictor, pairs: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    rows = compared(prediction.row() for prediction in predictor.predict_many(pairs))
    # Its last bit depends on the batch.
    return [row | {"typicality": nearly(row["typicality"])} for row in rows]


def nearly(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-5)


def compared(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    numbers = ("score", "typicality")
    return in_order([row | {name: shortest(row[name]) for name in numbers} for row in rows])


def test_the_rows_of_tables_equal_the_local_ones(tmp_path: Path, typical_file: Path):
    folder = tables(tmp_path / "tables", 3, 40)
    found = pa.concat_tables(pq.read_table(path) for path in sorted(folder.iterdir()))
    pairs = list(
        zip(*(found.column(name).to_pylist() for name in ("object_id", "image")), strict=True)
    )
    expected = local(Predictor(typical_file, digest=True), pairs)
    dataset = classify(
        ray.data.read_parquet(str(folder)), typical_file, id_column="object_id", keep=["ra"],
        digest=True,
    )  # fmt: skip
    rows = rows_of(dataset)
    ra = dict(
        zip(found.column("object_id").to_pylist(), found.column("ra").to_pylist(), strict=True)
    )
    assert [row.pop("ra") for row in rows] == [ra[row["id"]] for row in rows]
    assert rows == expected
    failed = [row for row in rows if row["status"] == "error"]
    assert len(failed) == 3
    assert {(row["score"], row["label"]) for row in failed} == {(None, None)}
    assert "not an image" in failed[0]["error"]


def test_arrays_and_empty_rows(model_file: Path):
    images = [galaxy(seed) for seed in range(5)] + [galaxy(5, 24)]
    pairs = [(str(number), image) for number, image in enumerate(images)]
    items = [{"image": image, "n": number} for number, image in enumerate(images)]
    # One size, and several: Ray has a type for each.
    for count in (5, 6):
        dataset = classify(ray.data.from_items(items[:count]), model_file, id_column="n")
        assert rows_of(dataset) == local(Predictor(model_file), pairs[:count])
    table = pa.table({"image": [encoded(images[0]), None], "n": [0, 1]})
    first, second = rows_of(classify(ray.data.from_arrow(table), model_file, id_column="n"))
    assert (first["error"], first["score"] is None) == (None, False)
    assert (second["id"], second["error"]) == ("1", "empty: this row has no image")
    assert second["score"] is None


def test_all_blocks_have_one_schema(model_file: Path):
    """Also one in which no image can be read."""
    table = pa.table({"image": [b"x"] * 3 + [encoded(galaxy(1))] * 3})
    dataset = ray.data.from_arrow([table.slice(0, 3), table.slice(3)])
    blocks = blocks_of(classify(dataset, model_file, concurrency=1))
    assert len({block.schema for block in blocks}) == 1
    assert pa.types.is_float32(blocks[0].schema.field("score").type)


def test_columns_that_do_not_fit_are_refused(model_file: Path):
    dataset = ray.data.from_arrow(pa.table({"image": [b""], "label": ["x"], "n": [1]}))
    with pytest.raises(UsageError, match="the dataset has no column stamp; it has image, label, n"):
        classify(dataset, model_file, image_column="stamp")
    with pytest.raises(UsageError, match="label cannot be kept"):
        classify(dataset, model_file, keep=["label"])
    with pytest.raises(Exception, match="its column of images holds int64"):
        classify(dataset, model_file, image_column="n").take_all()


def test_the_example_of_the_page(tmp_path: Path):
    (snippet,) = steps("docs/other-engines.md", "Ray")
    tables(tmp_path / "cutouts", 2, 4)
    script = tmp_path / "snippet.py"
    script.write_text('import ray\n\nray.init(address="local", num_cpus=2)\n' + snippet.text)
    subprocess.run([sys.executable, script.name], cwd=tmp_path, check=True, timeout=120)
    assert pq.read_table(tmp_path / "verdicts").num_rows == 8
