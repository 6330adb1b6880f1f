"""A watched folder as an iterator of inputs, with files that change, vanish and come again."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galaxy_edge import Predictor
from galaxy_edge import job as jobs
from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.source import Source
from galaxy_edge.inputs.watched import watch as watching
from galaxy_edge.inputs.watched.done import Mover
from galaxy_edge.inputs.watched.watch import Watch
from galaxy_edge.outputs.output import opened
from tests.conftest import encoded, galaxy
from tests.systems import posix

SETTLE = 0.1
Row = tuple[str, str]


@pytest.fixture(scope="module")
def predictor(model_file: Path) -> Predictor:
    return Predictor(model_file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


def put(path: Path, seed: int = 1, content: bytes | None = None) -> Path:
    """Write a file as a camera does; its time says that it was not renamed."""
    path.write_bytes(encoded(galaxy(seed)) if content is None else content)
    os.utime(path, (4 * 10**9 + seed,) * 2)
    return path


class Rows:
    """Collects the rows of a run, and acts on an image's row before it is accepted."""

    def __init__(self, watch: Watch, predictor: Predictor, act: Callable[[str], None]) -> None:
        self.found: list[Row] = []
        self._watch, self._predictor, self._act = watch, predictor, act

    def run(self, tmp_path: Path, *, bands=None, done=None, resuming: bool = False) -> list[Row]:
        def accept(prediction) -> bool:
            self._act(Path(prediction.path).name)
            taken = self._watch.accept(prediction.path, failed=prediction.status == "error")
            if taken:
                self.found.append((Path(prediction.path).name, prediction.status))
            return taken

        origin = jobs.origin(self._predictor)
        with opened(tmp_path / "x.jsonl", "jsonl", origin, resuming=resuming) as output:
            done = done and Mover(*done, output.sync, pytest.fail)
            sources = self._watch.sources(bands=bands, done=done)
            jobs.run(sources, self._predictor, output, accept=accept)
        return self.found


@pytest.fixture
def once(folder: Path, predictor: Predictor, tmp_path: Path):
    """Watch until every image has its row."""

    def run(act: Callable[[str], None] = lambda name: None, settle: float = SETTLE, **options):
        return Rows(Watch(folder, settle=settle, once=True), predictor, act).run(
            tmp_path, **options
        )

    return run


def test_every_image_gets_one_row_in_the_order_of_time(folder: Path, once):
    put(folder / "b.png", 1)
    put(folder / "a.png", 2)
    put(folder / "broken.png", 3, b"no image")
    put(folder / "text.txt", 4)
    assert once() == [("b.png", "ok"), ("a.png", "ok"), ("broken.png", "error")]


def test_a_file_that_changes_while_it_is_read_comes_again(folder: Path, once):
    put(folder / "a.png", 1)
    changes = iter([lambda: put(folder / "a.png", 2)])
    assert once(lambda name: next(changes, lambda: None)()) == [("a.png", "ok")]
    assert next(changes, None) is None


def test_a_file_that_vanishes_before_it_is_read_has_no_row(folder: Path, once, monkeypatch):
    put(folder / "a.png", 1)
    put(folder / "b.png", 2)
    sources = watching.from_paths

    def vanishing(paths, **options) -> Iterator[Source | None]:
        for source in sources(paths, **options):
            (folder / "a.png").unlink(missing_ok=True)
            yield source

    monkeypatch.setattr(watching, "from_paths", vanishing)
    assert once() == [("b.png", "ok")]


def test_a_renamed_file_that_cannot_be_read_is_tried_again(folder: Path, once):
    path = put(folder / "a.png", 1, encoded(galaxy(1))[:-30])
    os.utime(path, (1, 1))
    seen = []

    def act(name: str) -> None:
        seen.append(name)
        if len(seen) == 1:
            put(path, 1)

    assert once(act) == [("a.png", "ok")]
    assert len(seen) == 2


def test_a_renamed_file_that_is_never_readable_is_an_error_row(folder: Path, once):
    os.utime(put(folder / "a.png", 1, b"no image"), (1, 1))
    seen = []
    assert once(seen.append) == [("a.png", "error")]
    assert len(seen) == 2


@posix
def test_a_link_to_nothing_is_an_error_row(folder: Path, once):
    (folder / "a.png").symlink_to("nowhere")
    assert once() == [("a.png", "error")]


def test_a_renamed_file_does_not_wait(folder: Path, once):
    os.utime(put(folder / "a.png", 1), (1, 1))
    # The test would end after an hour.
    assert once(settle=3600) == [("a.png", "ok")]


def test_files_with_a_row_are_moved_and_not_classified_again(folder: Path, once, tmp_path: Path):
    put(folder / "a.png", 1)
    assert once() == [("a.png", "ok")]
    # Killed before it could move the file.
    put(folder / "b.png", 2)
    done = tmp_path / "done"
    assert once(done=(folder, done), resuming=True) == [("b.png", "ok")]
    assert sorted(path.name for path in done.iterdir()) == ["a.png", "b.png"]
    assert not [*folder.iterdir()]


def test_a_moved_file_replaces_no_other(folder: Path, once, tmp_path: Path):
    done = tmp_path / "done"
    done.mkdir()
    for name in ("a.fits.gz", "a-1.fits.gz"):
        (done / name).touch()
    put(folder / "a.fits.gz", 1, b"no image")
    assert once(done=(folder, done)) == [("a.fits.gz", "error")]
    assert (done / "a-2.fits.gz").read_bytes() == b"no image"


def test_a_name_that_comes_again_after_its_move_is_a_new_image(
    folder: Path, predictor: Predictor, tmp_path: Path
):
    put(folder / "latest.png", 1)
    rounds = iter(range(2, 4))

    class Replacing(Mover):
        def __call__(self, paths: list[str]) -> list[str]:
            away = super().__call__(paths)
            if (seed := next(rounds, None)) is not None:
                put(folder / "latest.png", seed)
            return away

    found = []
    watch = Watch(folder, settle=SETTLE, once=True)
    with opened(tmp_path / "x.jsonl", "jsonl", jobs.origin(predictor), resuming=False) as output:
        mover = Replacing(folder, tmp_path / "done", output.sync, pytest.fail)
        tally = jobs.run(
            watch.sources(done=mover), predictor, output, progress=lambda: found.append(1)
        )
    assert (tally.total, len(found)) == (3, 3)


def test_three_bands_are_one_image_and_incomplete_ones_wait(
    folder: Path, once, predictor: Predictor, tmp_path: Path
):
    rng = np.random.default_rng(1)
    for name in ("m51_i", "m51_r", "m51_g", "m52_i"):
        fits.writeto(folder / f"{name}.fits", rng.normal(1, 1, (30, 30)).astype(np.float32))
    done = tmp_path / "done"
    bands = ("i", "r", "g")
    stops = iter([False] * 1000)
    watch = Watch(folder, settle=SETTLE, stopped=lambda: next(stops, True))

    def stop(name: str) -> None:
        nonlocal stops
        stops = iter(())

    found = Rows(watch, predictor, stop).run(tmp_path, bands=bands, done=(folder, done))
    assert found == [("m51_{i,r,g}.fits", "ok")]
    assert [path.name for path in folder.iterdir()] == ["m52_i.fits"]
    assert len([*done.iterdir()]) == 3
    # To the end, and not to a stop, an incomplete set is an error, as for predict.
    assert once(bands=bands) == [("m52_{i,r,g}.fits", "error")]


def test_a_container_is_moved_when_all_of_its_images_have_rows(folder: Path, once, tmp_path: Path):
    for number in range(3):
        put(tmp_path / f"{number}.png", number)
    with tarfile.open(folder / "a.tar", "w") as archive:
        for number in range(3):
            archive.add(tmp_path / f"{number}.png", f"{number}.png")
    found = once(done=(folder, tmp_path / "done"))
    assert found == [(f"a.tar#{number}.png", "ok") for number in range(3)]
    assert (tmp_path / "done" / "a.tar").exists()


def test_stopping_leaves_the_other_files_for_the_next_run(
    folder: Path, once, predictor: Predictor, tmp_path: Path
):
    for number in range(20):
        put(folder / f"{number:02}.png", number)
    asked = []
    watch = Watch(folder, settle=SETTLE, stopped=lambda: bool(asked))
    first = Rows(watch, predictor, asked.append).run(tmp_path)
    assert 0 < len(first) < 20
    assert len(first) + len(once(resuming=True)) == 20


def test_a_folder_that_cannot_be_listed_for_a_while_is_waited_for(
    folder: Path, predictor: Predictor, tmp_path: Path
):
    put(folder / "a.png", 1)
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        (tmp_path / "away").rename(folder)
        put(folder / "b.png", 2)

    watch = Watch(folder, settle=SETTLE, once=True, note=note, events=False)

    def act(name: str) -> None:
        if not notes:
            folder.rename(tmp_path / "away")

    found = Rows(watch, predictor, act).run(tmp_path)
    assert [name for name, _ in found][-1] == "b.png"
    assert len(notes) == 1
    assert "cannot be listed now: No such file" in notes[0]


@pytest.mark.parametrize("settle", [-1, float("nan")])
def test_a_settle_time_that_is_no_time_is_refused(folder: Path, settle: float):
    with pytest.raises(UsageError, match="settle time must be 0 or more"):
        Watch(folder, settle=settle)
