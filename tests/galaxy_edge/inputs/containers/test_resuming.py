"""Runs on containers that are killed or cut off, and shares of them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.galaxy_edge.inputs.containers.shapes import SHAPES

Cli = Callable[..., tuple[int, str, str]]
COMMAND = [sys.executable, "-m", "galaxy_edge", "predict", "--batch-size", "2", "--threads", "1"]


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kind", SHAPES)
def test_every_row_has_a_place_of_its_own(kind: str, tmp_path: Path, model_file: Path, cli: Cli):
    shape = SHAPES[kind](tmp_path, 60)
    code, _, _ = cli(
        "predict", shape.path, *shape.options, "-m", model_file, "-o", tmp_path / "rows.jsonl", "-q"
    )
    rows = rows_of(tmp_path / "rows.jsonl")
    assert code == 1, "some are damaged"
    assert {row["status"] for row in rows} == {"ok", "error"}
    assert len({row["path"] for row in rows}) == len(rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert [row for row in rows if row["status"] == "error" and row["score"] is not None] == []
    last = rows[-1]
    is_cut = kind in ("tar", "tar.gz")
    assert (last["path"] == shape.path) == is_cut, "only the tars are cut off"
    if kind == "hats":
        errors = {row["path"]: row["error"] for row in rows if row["status"] == "error"}
        folder = f"{shape.path}/dataset/Norder=1/Dir=0"
        assert "rows 0 to 4 cannot be read" in errors[f"{folder}/Npix=1.parquet#0-4"]
        assert "damaged" in errors[f"{folder}/Npix=2.parquet"]
    if is_cut:
        assert last["error"].startswith(f"after {len(rows) - 1} images: damaged or truncated")


@pytest.mark.parametrize("kind", SHAPES)
def test_shares_are_disjoint_and_complete(kind: str, tmp_path: Path, model_file: Path, cli: Cli):
    shape = SHAPES[kind](tmp_path, 40)
    arguments = ["predict", shape.path, *shape.options, "-m", model_file, "-q", "-o"]
    cli(*arguments, tmp_path / "whole.jsonl")
    found = []
    for number in (1, 2, 3):
        cli(*arguments, tmp_path / f"{number}.jsonl", "--shard", f"{number}/3")
        found += rows_of(tmp_path / f"{number}.jsonl")
    assert len(found) > 3
    key = json.dumps
    assert sorted(map(key, found)) == sorted(map(key, rows_of(tmp_path / "whole.jsonl")))


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet", "fits"])
@pytest.mark.parametrize("kind", SHAPES)
def test_an_output_cut_off_anywhere_is_completed(
    kind: str, suffix: str, tmp_path: Path, model_file: Path, cli: Cli
):
    shape = SHAPES[kind](tmp_path, 24)
    arguments = ["predict", shape.path, *shape.options, "-m", model_file, "-q", "-o"]
    whole, begun = tmp_path / f"whole.{suffix}", tmp_path / f"rows.{suffix}"
    cli(*arguments, whole)
    cli(*arguments, tmp_path / "journal.jsonl")
    text = suffix in ("jsonl", "csv")
    source = whole if text else tmp_path / "journal.jsonl"
    content = source.read_bytes()
    for part in range(0, 8, 1 if text else 3):
        place = begun if text else begun.with_name(f"{begun.name}.partial")
        place.write_bytes(content[: len(content) * part // 7])
        cli(*arguments, begun, "--resume")
        assert begun.read_bytes() == whole.read_bytes()
        begun.unlink()


def killed(command: list[str], output: Path, rows: int) -> bool:
    """Run a command and kill it when its output has so many rows; whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if output.exists() and output.read_bytes().count(b"\n") >= rows:
            break
        time.sleep(0.001)
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("parquet", "parquet"), ("hats", "jsonl"), ("tar", "jsonl"), ("tar.gz", "fits"),
        ("zip", "csv"), ("hdf5", "jsonl"), ("zarr", "csv"), ("mosaic", "csv"),
    ],
)  # fmt: skip
def test_a_run_that_is_killed_at_random_and_resumed(
    kind: str, suffix: str, tmp_path: Path, model_file: Path
):
    shape = SHAPES[kind](tmp_path, 2000)
    begun = [*COMMAND, shape.path, *shape.options, "-m", str(model_file), "-q", "-o"]
    whole, output = tmp_path / f"whole.{suffix}", tmp_path / f"rows.{suffix}"
    assert subprocess.run([*begun, whole], check=False).returncode == 1
    in_place = suffix in ("jsonl", "csv")
    journal = output if in_place else output.with_name(f"{output.name}.partial")
    chance = random.Random(kind)  # noqa: S311 - another place for each kind
    kills = 0
    for rows in sorted(chance.sample(range(1500), 4)):
        kills += killed([*begun, str(output), "--resume"], journal, rows)
    assert kills, "no run was killed before its end"
    assert subprocess.run([*begun, output, "--resume"], check=False).returncode == 1
    assert output.read_bytes() == whole.read_bytes()
