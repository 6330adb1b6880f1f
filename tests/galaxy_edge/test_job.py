from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from galaxy_edge import Predictor, Source
from galaxy_edge import job as jobs
from galaxy_edge.cli.notes import Notes
from galaxy_edge.inputs import images
from galaxy_edge.inputs.shards import Shard
from galaxy_edge.outputs.output import opened
from galaxy_edge.outputs.resume import Earlier
from galaxy_edge.results import Tally
from tests.conftest import encoded, galaxy


@pytest.fixture(scope="module")
def predictor(model_file: Path) -> Predictor:
    return Predictor(model_file)


def sources(count: int) -> Iterator[Source]:
    """Inputs in memory with identifiers; every fifth cannot be read."""
    for number in range(count):
        content = b"no image" if number % 5 == 4 else encoded(galaxy(number))
        yield Source(content, id=f"object {number}")


def run(predictor: Predictor, path: Path, inputs, *, resuming: bool = False, **options) -> Tally:
    with opened(path, "jsonl", jobs.origin(predictor), resuming=resuming) as output:
        return jobs.run(inputs, predictor, output, **options)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_input_gets_a_row_and_is_counted(predictor: Predictor, tmp_path: Path):
    ticks = []
    tally = run(predictor, tmp_path / "x.jsonl", sources(10), progress=lambda: ticks.append(1))
    found = rows(tmp_path / "x.jsonl")
    assert [row["id"] for row in found] == [f"object {number}" for number in range(10)]
    assert (tally.total, tally.failed, tally.earlier, len(ticks)) == (10, 2, 0, 10)
    assert tally.labels == {
        name: sum(row["label"] == name for row in found) for name in tally.labels
    }
    counts = ", ".join(f"{tally.labels[name]} {name}" for name in ("Fake", "Real"))
    expected = f"10 images: {counts}, 2 failed (CPUExecutionProvider)"
    assert jobs.summary(tally, predictor) == expected


def test_inputs_with_identifiers_are_resumed(predictor: Predictor, tmp_path: Path):
    whole, begun = tmp_path / "whole.jsonl", tmp_path / "begun.jsonl"
    run(predictor, whole, sources(10))
    run(predictor, begun, sources(4))
    tally = run(predictor, begun, sources(10), resuming=True)
    assert begun.read_bytes() == whole.read_bytes()
    assert (tally.total, tally.earlier) == (10, 4)
    assert "10 images: 4 of them earlier" in jobs.summary(tally, predictor)


def test_two_inputs_of_one_identifier_in_different_places_are_two(
    predictor: Predictor, tmp_path: Path
):
    path = tmp_path / "x.jsonl"
    inputs = [Source(encoded(galaxy(1)), id="1", path=f"{part}.tar/1.png") for part in "ab"]
    run(predictor, path, inputs[:1])
    tally = run(predictor, path, inputs, resuming=True)
    assert (tally.total, tally.earlier) == (2, 1)
    assert [row["path"] for row in rows(path)] == ["a.tar/1.png", "b.tar/1.png"]


def test_shards_of_inputs_with_identifiers_are_disjoint_and_complete(
    predictor: Predictor, tmp_path: Path
):
    found = []
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.jsonl"
        run(predictor, path, sources(12), shard=Shard(number, 3))
        found += [row["id"] for row in rows(path)]
    assert sorted(found) == sorted(f"object {number}" for number in range(12))


def test_none_finishes_what_was_taken(predictor: Predictor, tmp_path: Path):
    path = tmp_path / "x.jsonl"
    seen = []

    def live() -> Iterator[Source | None]:
        for number, source in enumerate(sources(3)):
            yield source
            yield None
            seen.append((number, len(rows(path))))

    run(predictor, path, live())
    assert seen == [(0, 1), (1, 2), (2, 3)]


def test_the_output_among_the_inputs_is_skipped(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "x.jsonl"
    Path("a.png").write_bytes(encoded(galaxy(1)))
    tally = run(predictor, output, [Source("a.png"), Source("x.jsonl"), Source(str(output))])
    assert [row["path"] for row in rows(output)] == ["a.png"]
    assert tally.total == 1


def test_notes_about_inputs_name_the_input(predictor: Predictor, tmp_path: Path, monkeypatch):
    read = images._rgb

    def noting(content, stretch, notes):
        notes.append("has two images; the first was taken")
        return read(content, stretch, notes)

    monkeypatch.setattr(images, "_rgb", noting)
    found = []
    run(predictor, tmp_path / "x.jsonl", sources(2), note=found.append)
    assert found == [f"object {n}: has two images; the first was taken" for n in range(2)]
    (row,) = predictor.predict_many([encoded(galaxy(1))])
    assert row.notes == ("has two images; the first was taken",)
    assert "notes" not in row.row()


def test_the_command_line_prints_some_notes_and_counts_the_others(
    capsys: pytest.CaptureFixture[str],
):
    notes = Notes()
    for number in range(25):
        notes(f"note\n{number}")
    notes.rest()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "galaxy-edge: note\\n0"
    assert (len(lines), lines[-1]) == (21, "galaxy-edge: and 5 more notes of this kind")


def test_content_of_an_unknown_kind_gets_its_row(predictor: Predictor, tmp_path: Path):
    path = tmp_path / "x.jsonl"
    inputs = [Source(bytearray(b"x"), id="a"), Source(None, id="b"), *sources(1)]
    tally = run(predictor, path, inputs)
    assert (tally.total, tally.failed) == (3, 2)
    assert all("not an image" in row["error"] for row in rows(path)[:2])


@pytest.mark.parametrize("form", ["parquet", "fits"])
def test_a_finished_table_is_taken_over_completely_or_not_at_all(
    predictor: Predictor, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
):
    """A kill while its rows are copied must not leave a part of them as the journal."""
    path = tmp_path / f"x.{form}"
    with opened(path, form, jobs.origin(predictor), resuming=False) as output:
        jobs.run(sources(6), predictor, output)
    before = path.read_bytes()
    add = Earlier.add

    def killed(self, row):
        if row["id"] == "object 3":
            raise KeyboardInterrupt
        add(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(Earlier, "add", killed)
        with (
            pytest.raises(KeyboardInterrupt),
            opened(path, form, jobs.origin(predictor), resuming=True),
        ):
            pass
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
