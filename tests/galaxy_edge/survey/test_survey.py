"""`galaxy-edge survey` on local files: parts, repetition, refusals, status and verification."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from galaxy_edge.survey import identity
from tests.conftest import encoded, galaxy
from tests.galaxy_edge.inputs.containers.shapes import SHAPES
from tests.galaxy_edge.survey.sources import TABLES, files, rows_in, rows_of, tables

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "survey"


def written(path: Path) -> tuple[int, int]:
    """Changes if a file is written or replaced, not if it is read."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


@pytest.mark.parametrize("kind", SHAPES)
def test_the_rows_of_a_container_are_those_of_predict(
    kind: str, tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    shape = SHAPES[kind](tmp_path, 20)
    options = [shape.path, *shape.options, "-m", model_file, "-q"]
    code, _, _ = cli("survey", *options, "-o", destination)
    assert code == cli("predict", *options, "-o", tmp_path / "rows.parquet")[0] == 1
    assert rows_in(destination) == rows_of(tmp_path / "rows.parquet")


def test_files_are_divided_into_runs(tmp_path: Path, destination: Path, model_file: Path, cli: Cli):
    folder = files(tmp_path / "images", 10)
    options = [folder, "-m", model_file, "--digest", "-q"]
    assert cli("survey", *options, "-o", destination, "--part-size", 4)[0] == 1
    assert cli("predict", *options, "-o", tmp_path / "rows.parquet")[0] == 1
    assert rows_in(destination) == rows_of(tmp_path / "rows.parquet")
    parts = sorted((destination / "rows").iterdir())
    assert [pq.read_metadata(part).num_rows for part in parts] == [4, 4, 2]
    assert {path.stem for path in parts} == {
        path.stem for path in (destination / "ledger").iterdir()
    }


def test_three_bands_of_one_image_stay_in_one_part(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    fits = pytest.importorskip("astropy.io.fits")
    folder = tmp_path / "bands"
    folder.mkdir()
    for number in range(3):
        for place, band in enumerate("irg"):
            pixels = galaxy(number)[..., place].astype("float32")
            fits.writeto(folder / f"g{number}_{band}.fits", pixels)
    (folder / "g2_r.fits").unlink()
    options = [folder, "-m", model_file, "--bands", "i,r,g", "-q"]
    assert cli("survey", *options, "-o", destination, "--part-size", 1)[0] == 1
    cli("predict", *options, "-o", tmp_path / "rows.parquet")
    assert rows_in(destination) == rows_of(tmp_path / "rows.parquet")
    assert [row["status"] for row in rows_in(destination)] == ["ok", "ok", "error"]


def test_a_finished_part_is_not_repeated_and_new_containers_are_added(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    pattern = tables(tmp_path / "tables", 3, 4) / "*.parquet"
    hidden = tmp_path / "tables" / "000.parquet"
    hidden.rename(tmp_path / "000.parquet")
    command = ["survey", pattern, *TABLES, "-m", model_file, "-o", destination]
    assert "8 images: " in cli(*command)[2]
    before = {path: written(path) for path in destination.rglob("*") if path.is_file()}
    # Its name comes first, so a place in the list would not do as a key.
    (tmp_path / "000.parquet").rename(hidden)
    code, _, err = cli(*command)
    assert (code, "12 images: 8 of them earlier" in err) == (1, True)
    assert {path: written(path) for path in before} == before
    assert [row["id"] for row in rows_in(destination)] == [
        f"G{part}-{row}" for part in range(3) for row in range(4)
    ]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--part-size", 3], "another part size"),
        (["--threshold", 0.9], "another threshold"),
        (["--digest"], "another choice of --digest"),
        (["-r"], "another choice of --recursive"),
        (["--bit-depth", 12], "another preprocessing"),
        (["--keep", "ra"], "another way to read containers"),
    ],
)
def test_other_options_are_refused(
    options: list[object],
    word: str,
    tmp_path: Path,
    destination: Path,
    model_file: Path,
    cli: Cli,
):
    folder = files(tmp_path / "images", 2)
    command = ["survey", folder, "-m", model_file, "-o", destination, "-q"]
    assert cli(*command)[0] == 0
    before = rows_in(destination)
    code, _, err = cli(*command, *options)
    assert (code, word in err) == (2, True), err
    assert rows_in(destination) == before


def test_another_model_or_source_is_refused(
    tmp_path: Path, destination: Path, model_file: Path, typical_file: Path, cli: Cli
):
    folder = files(tmp_path / "images", 2)
    options = ["-o", destination, "-q"]
    assert cli("survey", folder, "-m", model_file, *options)[0] == 0
    code, _, err = cli("survey", folder, "-m", typical_file, *options)
    assert (code, "another model" in err) == (2, True)
    code, _, err = cli("survey", files(tmp_path / "more", 2), "-m", model_file, *options)
    assert (code, "another source" in err) == (2, True)
    # A part of another model, although the survey is this one.
    (destination / "survey.json").unlink()
    (entry,) = (destination / "ledger").iterdir()
    document = json.loads(entry.read_text()) | {"model_sha256": "0" * 64}
    entry.write_text(json.dumps(document))
    moved = tmp_path / "moved"
    moved.mkdir()
    assert cli("survey", folder, "-m", model_file, "-o", moved, "-q")[0] == 0
    shutil.copytree(destination / "ledger", moved / "ledger", dirs_exist_ok=True)
    code, _, err = cli("survey", folder, "-m", model_file, "-o", moved, "-q")
    assert (code, "rows of" in err, "from another model (SHA-256 000000000000)" in err) == (
        2, True, True,
    )  # fmt: skip


def test_a_source_that_changed_is_refused(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    folder = files(tmp_path / "images", 3)
    command = ["survey", folder, "-m", model_file, "-o", destination, "-q"]
    cli(*command)
    (folder / "new.png").write_bytes(encoded(galaxy(9)))
    code, _, err = cli(*command)
    assert (code, "the source has changed since paths-00000000 was finished" in err) == (2, True)
    table = tables(tmp_path / "tables", 1, 4)
    command = ["survey", table / "000.parquet", *TABLES, "-m", model_file, "-q", "-o"]
    cli(*command, tmp_path / "other")
    tables(tmp_path / "tables", 1, 5)
    code, _, err = cli(*command, tmp_path / "other")
    assert (code, "has another size" in err) == (2, True)


def test_unsuitable_places_are_refused(tmp_path: Path, model_file: Path, cli: Cli):
    folder = files(tmp_path / "images", 2)
    code, _, err = cli("survey", folder, "-m", model_file, "-o", folder / "rows")
    assert (code, "choose a destination outside the source" in err) == (2, True)
    code, _, err = cli("survey", folder / "0000.png", "-m", model_file, "-o", folder)
    assert (code, "is not empty and has no survey" in err) == (2, True)
    (tmp_path / "file").touch()
    code, _, err = cli("survey", folder, "-m", model_file, "-o", tmp_path / "file")
    assert (code, "exists and is not a folder" in err) == (2, True)
    code, _, err = cli("survey", tmp_path / "no.tar", "-m", model_file, "-o", tmp_path / "rows")
    assert (code, "no.tar cannot be read: No such file" in err) == (2, True)
    # A command that failed at once leaves nothing that refuses the corrected one.
    table = tables(tmp_path / "tables", 1, 3) / "000.parquet"
    code, _, err = cli("survey", table, "-m", model_file, "-o", tmp_path / "rows")
    assert (code, "--image-column" in err) == (2, True)
    assert not (tmp_path / "rows").exists()
    code, _, err = cli("survey", "status", tmp_path)
    assert (code, "has no survey" in err) == (2, True)


def test_a_table_without_its_entry_counts(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    """A kill between the two leaves it so; and so does another run that is a moment ahead."""
    folder = files(tmp_path / "images", 4)
    command = ["survey", folder, "-m", model_file, "-o", destination]
    cli(*command)
    (entry,) = (destination / "ledger").iterdir()
    (table,) = (destination / "rows").iterdir()
    text, before = entry.read_text(), written(table)
    entry.unlink()
    assert "4 images: " in cli(*command)[2]
    assert entry.read_text() == text
    assert written(table) == before


def test_two_surveys_at_once_do_not_mix(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    """The other one begins after this one has looked for it."""
    folder, other = files(tmp_path / "images", 2), tables(tmp_path / "other", 1, 3)
    cli("survey", other, *TABLES, "-m", model_file, "-o", destination, "-q")
    before = rows_in(destination)
    checks = iter([lambda *_: None, identity.check])
    monkeypatch.setattr(identity, "check", lambda *given: next(checks)(*given))
    code, _, err = cli("survey", folder, "-m", model_file, "-o", destination, "-q")
    assert (code, "another source" in err) == (2, True)
    assert rows_in(destination) == before


def test_shares_are_disjoint_and_complete(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    folder = tables(tmp_path / "tables", 6, 3)
    options = [*TABLES, "-m", model_file, "-q", "-o"]
    counts = []
    for number in (1, 2):
        cli("survey", folder, *options, destination, "--shard", f"{number}/2")
        counts.append(len([*(destination / "ledger").iterdir()]))
    assert 0 < counts[0] < counts[1] == 6
    cli("predict", folder, *options, tmp_path / "rows.parquet")
    assert rows_in(destination) == rows_of(tmp_path / "rows.parquet")


def test_status_counts(tmp_path: Path, destination: Path, model_file: Path, cli: Cli):
    folder = tables(tmp_path / "tables", 2, 5)
    cli("survey", folder, *TABLES, "-m", model_file, "-q", "-o", destination)
    labels = [row["label"] for row in rows_in(destination)]
    code, out, _ = cli("survey", "status", destination)
    assert code == 0
    lines = dict(line.split(": ") for line in out.splitlines())
    assert (lines["finished parts"], lines["rows"], lines["failures"]) == ("2", "10", "2")
    assert (lines["status ok"], lines["status error"]) == ("8", "2")
    for name in {"Fake", "Real"} & {*labels}:
        assert lines[f"label {name}"] == str(labels.count(name))


def test_verify_scores_rows_again(
    tmp_path: Path, destination: Path, model_file: Path, typical_file: Path, cli: Cli
):
    folder = tables(tmp_path / "tables", 3, 5)
    cli("survey", folder, *TABLES, "-m", model_file, "-q", "-o", destination, "--threshold", 0.4)
    command = ["survey", "verify", destination, "-m", model_file]
    code, out, _ = cli(*command)
    assert (code, out.startswith("15 rows compared: largest difference of a number 0 ")) == (
        0,
        True,
    )
    code, out, _ = cli(*command, "--rows", 4, "--parts", 2)
    assert (code, out.startswith("4 rows compared")) == (0, True)
    code, _, err = cli("survey", "verify", destination, "-m", typical_file)
    assert (code, "the rows are from another model" in err) == (2, True)


def test_verify_finds_rows_that_were_changed(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli
):
    folder = files(tmp_path / "images", 4)
    cli("survey", folder, "-m", model_file, "-q", "-o", destination)
    (folder / "0000.png").write_bytes(encoded(galaxy(0, real=False)))
    command = ["survey", "verify", destination, "-m", model_file]
    code, _, err = cli(*command)
    assert (code, "1 of 4 rows differ" in err, "0000.png: its score was" in err) == (5, True, True)
    (table,) = (destination / "rows").iterdir()
    table.write_bytes(table.read_bytes()[:-1])
    code, _, err = cli(*command)
    assert (code, "is damaged: its SHA-256 is not that of its ledger entry" in err) == (2, True)
    table.unlink()
    code, _, err = cli(*command)
    assert (code, "is missing in" in err) == (2, True)
    shutil.rmtree(folder)
    code, _, err = cli(*command)
    assert (code, "the source has changed" in err) == (2, True)


def test_a_store_without_hard_links(
    tmp_path: Path, destination: Path, model_file: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder = files(tmp_path / "images", 4)
    command = ["survey", folder, "-m", model_file, "-o", destination, "--part-size", 2]
    cli(*command)
    assert len(rows_in(destination)) == 4
    assert "4 images: 4 of them earlier" in cli(*command)[2]
    assert [*destination.rglob(".*")] == []
