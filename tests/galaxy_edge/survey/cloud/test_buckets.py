"""Surveys from bucket to bucket, with a server that fails, equal those of local files."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.following import follow
from tests.galaxy_edge.survey.cloud.conftest import KEY, SECRET
from tests.galaxy_edge.survey.sources import TABLES, files, in_order, rows_of, tables
from tests.pages import steps

Cli = Callable[..., tuple[int, str, str]]


def upload(folder: Path, prefix: str) -> None:
    from galaxy_edge.survey.cloud.bucket import bucket

    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert bucket("s3://night").create(
                f"{prefix}/{path.relative_to(folder)}", path.read_bytes()
            )


def objects(prefix: str) -> dict[str, bytes]:
    from galaxy_edge.survey.cloud.bucket import bucket

    found = bucket("s3://verdicts")
    return {key: found.read(key) for key, _ in found.sizes(prefix)}


def rows_in(prefix: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for key, content in objects(prefix).items():
        if key.endswith(".parquet"):
            rows += pq.read_table(pa.BufferReader(content)).to_pylist()
    return in_order(rows)


def located(rows: list[dict[str, Any]], folder: Path, url: str) -> list[dict[str, Any]]:
    """Rows of local files, as those of the same files in a bucket."""
    moved = [
        row | {name: row[name].replace(str(folder), url) for name in ("id", "path")} for row in rows
    ]
    return in_order(moved)


@pytest.fixture
def expected(tmp_path: Path, model_file: Path, cli: Cli) -> Callable[..., list[dict[str, Any]]]:
    """The rows of `predict` for local files."""

    def rows(source: Path, *options: object) -> list[dict[str, Any]]:
        cli("predict", source, *options, "-m", model_file, "-q", "-o", tmp_path / "rows.parquet")
        return rows_of(tmp_path / "rows.parquet")

    return rows


def test_tables_with_faults(
    tmp_path: Path, model_file: Path, buckets: Any, faulty: Any, expected: Any, cli: Cli
):
    folder = tables(tmp_path / "tables", 8, 5)
    upload(folder, "tables")
    proxy = faulty()
    command = ["survey", "s3://night/tables", *TABLES, "-m", model_file, "-o", "s3://verdicts/v"]
    code, _, err = cli(*command)
    assert (code, "40 images: " in err) == (1, True), err
    assert rows_in("v") == located(expected(folder, *TABLES), folder, "s3://night/tables")
    assert proxy.ranges, "containers are read in ranges"
    assert "40 images: 40 of them earlier" in cli(*command)[2]
    code, out, _ = cli("survey", "status", "s3://verdicts/v")
    assert (code, "finished parts: 8\nrows: 40\nfailures: 8\n" in out) == (0, True)
    code, out, _ = cli("survey", "verify", "s3://verdicts/v", "-m", model_file, "--parts", 8)
    assert (code, "40 rows compared: largest difference of a number 0 " in out) == (0, True)
    assert {kind for kind, count in proxy.seen.items() if count} == {
        "none", "slow", "500", "503", "truncated", "lost", "answer lost",
    }  # fmt: skip


def test_files_and_archives_with_faults(
    tmp_path: Path, model_file: Path, faulty: Any, expected: Any, cli: Cli
):
    folder = files(tmp_path / "images", 14)
    (folder / "ignored.txt").touch()
    upload(folder, "images")
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(folder, "x")
    (tmp_path / "tars").mkdir()
    (tmp_path / "shard.tar").rename(tmp_path / "tars" / "shard.tar")
    upload(tmp_path / "tars", "tars")
    faulty()
    run = ["survey", "-m", model_file, "-q", "-o"]
    assert cli(*run, "s3://verdicts/files", "s3://night/images/", "--part-size", 5)[0] == 1
    assert rows_in("files") == located(expected(folder), folder, "s3://night/images")
    assert len(objects("files/ledger")) == 3
    assert cli(*run, "s3://verdicts/tars", "s3://night/t*/*.tar")[0] == 1
    tars = tmp_path / "tars"
    assert rows_in("tars") == located(expected(tars / "shard.tar"), tars, "s3://night/tars")
    # To a folder, from a bucket.
    assert cli(*run, tmp_path / "local", "s3://night/tars/shard.tar")[0] == 1
    (table,) = (tmp_path / "local" / "rows").iterdir()
    assert rows_of(table) == rows_in("tars")


def test_an_object_is_written_once(buckets: Any):
    from galaxy_edge.survey.cloud.store import Prefix

    store = Prefix("s3://verdicts/once")
    assert store.create("a", b"first")
    assert not store.create("a", b"second")
    assert store.read("a") == b"first"
    assert store.read("b") is None
    assert [*store.names("")] == ["a"]


def test_an_answer_that_is_lost_does_not_lose_a_part(
    tmp_path: Path, model_file: Path, buckets: Any, cli: Cli
):
    """The object was written, so the repeated request finds it."""
    folder = files(tmp_path / "images", 4)
    buckets({"answer lost": 0.4})
    run = ["survey", folder, "-m", model_file, "-q", "-o", "s3://verdicts/v", "--part-size", 1]
    assert cli(*run)[0] == 1
    paths = [str(path) for path in sorted(folder.iterdir())]
    assert [row["path"] for row in rows_in("v")] == paths


def test_names_that_do_not_exist(
    tmp_path: Path, model_file: Path, buckets: Any, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    run = ["survey", "-m", model_file, "-q", "-o", "s3://verdicts/v"]
    for source, words in (
        ("s3://night/nothing/", "there is no input in s3://night/nothing/"),
        ("s3://night/*.tar", "there is no input in s3://night/*.tar"),
        ("s3://night/x.tar", "s3://night/x.tar cannot be read: No such file"),
    ):
        code, _, err = cli(*run, source)
        assert (code, words in err) == (2, True), err
    assert objects("v") == {}
    assert cli(*run, "s3://night/none.png")[0] == 1
    assert [row["error"] for row in rows_in("v")] == ["missing: the file does not exist"]


def test_credentials_are_never_shown(
    tmp_path: Path, model_file: Path, buckets: Any, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    from galaxy_edge.survey.cloud import bucket

    upload(files(tmp_path / "images", 3), "images")
    run = ["survey", "s3://night/images", "-m", model_file, "-o", "s3://verdicts/v"]
    shown = "".join(map(str, cli(*run)))
    monkeypatch.setattr(bucket, "_TRIES", 2)
    monkeypatch.setattr(bucket, "_RETRY", {"max_retries": 0})
    buckets({"500": 1.0})
    code, out, err = cli(*run)
    assert code == 2
    assert "s3://verdicts/v/survey.json: no usable answer from the storage after 2 tries" in err
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{KEY}:{SECRET}@127.0.0.1:1")
    bucket.bucket.cache_clear()
    failed = cli(*run)
    assert failed[0] == 2
    shown += "".join(map(str, (code, out, err, *failed)))
    buckets({})
    kept = b"".join(objects("v").values()).decode("latin-1")
    assert len(kept) > 1000
    assert (SECRET in shown, KEY in shown, SECRET in kept, KEY in kept) == (False,) * 4


def test_the_commands_of_the_page_run(
    tmp_path: Path, buckets: Any, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    folder = tables(tmp_path / "tables", 2, 3)
    for path in folder.iterdir():
        table = pq.read_table(path)
        pq.write_table(table.take([0, 1]), path)
    upload(folder, "cutouts")
    _, status, _ = follow(steps("docs/survey.md", "Object storage"), cli)
    assert "finished parts: 2\nrows: 4\n" in status.out
    assert len(rows_in("2026")) == 4
