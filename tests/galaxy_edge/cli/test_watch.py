"""`galaxy-edge watch` as a process: signals, kills, and a simulated day."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import encoded, galaxy
from tests.galaxy_edge.cli.watching import SETTLE, Watching, rows_of
from tests.systems import posix

Cli = Callable[..., tuple[int, str, str]]
pytestmark = posix


@pytest.fixture(params=[True, False], ids=["events", "polling"])
def events(request: pytest.FixtureRequest) -> bool:
    if request.param:
        pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")
    return request.param


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_signal_leaves_a_complete_file(
    model_file: Path, folder: Path, number: int, code: int, form: str
):
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(encoded(galaxy(seed)))
    output = folder / f"rows.{form}"
    watching = Watching(model_file, folder, output)
    journal = output if form == "jsonl" else folder / "rows.parquet.partial"
    watching.output = journal
    watching.wait_for(3)
    assert watching.end(number) == (code, "")
    if form == "parquet":
        import pyarrow.parquet as pq

        assert not journal.exists()
        assert pq.read_table(output).num_rows == 3
    else:
        assert len(rows_of(output)) == 3


def test_once_exits_like_predict_and_a_restart_adds_nothing(
    model_file: Path, folder: Path, tmp_path: Path, cli: Cli
):
    (folder / "a.png").write_bytes(encoded(galaxy(1)))
    (folder / "b.png").write_bytes(b"no image")
    output = tmp_path / "x.jsonl"
    command = ("watch", folder, "-m", model_file, "-o", output, "--once", "--settle", "0.1")
    code, _, err = cli(*command)
    assert code == 1
    assert "2 images: " in err
    before = output.read_bytes()
    assert cli(*command, "--exit-zero")[0] == 0
    assert output.read_bytes() == before
    predicted = tmp_path / "predicted.jsonl"
    command = ("predict", folder, "-m", model_file, "-o", predicted)
    assert cli(*command)[0] == 1
    assert cli(*command, "--exit-zero")[0] == 0
    assert rows_of(predicted) == rows_of(output)


def test_rows_go_to_stdout_without_an_output(model_file: Path, folder: Path, cli: Cli):
    (folder / "a.png").write_bytes(encoded(galaxy(1)))
    command = ("watch", folder, "-m", model_file, "--once", "--settle", "0")
    code, out, _ = cli(*command, "--format", "csv")
    assert code == 0
    assert out.count("\n") == 2
    assert "a.png" in cli(*command)[1]
    code, _, err = cli(*command, "--digest")
    assert (code, "a table has no column for --digest" in err) == (2, True)


def test_a_folder_that_does_not_exist_is_a_wrong_usage(tmp_path: Path, cli: Cli):
    code, _, err = cli("watch", tmp_path / "nowhere", "-o", tmp_path / "x.jsonl")
    assert code == 2
    assert "nowhere cannot be watched: No such file or directory; name an existing folder" in err
    assert not (tmp_path / "x.jsonl").exists()


class Day:
    """Everything that happens in a folder during a day, quickly."""

    def __init__(self, folder: Path, count: int, seed: int) -> None:
        self.folder = folder
        self.count = count
        self.random = random.Random(seed)  # noqa: S311
        self.images = [encoded(galaxy(number)) for number in range(4)]
        #: Files that were completed and left alone, and those that were deleted at some time.
        self.complete: list[str] = []
        self.deleted: list[str] = []
        self.staging = folder.parent / "staging"
        self.staging.mkdir(exist_ok=True)

    def run(self, pause: Callable[[], None] = lambda: None) -> None:
        halves: list[tuple[Path, bytes, float]] = []
        for number in range(self.count):
            path = self.folder / f"{number:06}.png"
            image = self.images[number % 4]
            kind = self.random.choices(
                ["written", "renamed", "moved", "half", "deleted", "abandoned"],
                [40, 20, 10, 20, 5, 5],
            )[0]
            if kind == "written":
                path.write_bytes(image)
            elif kind == "renamed":
                part = self.folder / f".{number}.part"
                part.write_bytes(image)
                part.rename(path)
            elif kind == "moved":
                (self.staging / path.name).write_bytes(image)
                (self.staging / path.name).rename(path)
            else:
                path.write_bytes(image if kind == "deleted" else image[:-40])
                halves.append((path, image if kind == "half" else b"", time.monotonic()))
            if kind in ("written", "renamed", "moved"):
                self.complete.append(str(path))
            while halves and (len(halves) > 50 or number == self.count - 1):
                self._finish(*halves.pop(0))
            pause()

    def _finish(self, path: Path, image: bytes, began: float) -> None:
        if not image:
            path.unlink(missing_ok=True)
            self.deleted.append(str(path))
            return
        # Its row may have come first, if this machine is so slow that the file seemed complete.
        late = time.monotonic() - began > SETTLE / 2
        if not path.exists():
            return
        with path.open("ab") as file:
            file.write(image[-40:])
        if not late and time.monotonic() - began < SETTLE / 2:
            self.complete.append(str(path))


def check(day: Day, rows: list[dict]) -> None:
    found = Counter(row["path"] for row in rows)
    assert {path: found[path] for path in day.complete if found[path] != 1} == {}
    assert max(found.values()) == 1
    complete = {*day.complete}
    failed = [row for row in rows if row["status"] != "ok" and row["path"] in complete]
    assert not failed


def run_day(model: Path, folder: Path, output: Path, count: int, *, events: bool) -> list[int]:
    """Run a day, check its rows, and return the memory in use at each twentieth of it, bytes."""
    day = Day(folder, count, seed=1)
    watching = Watching(model, folder, output, "--move-done", folder.parent / "done", events=events)
    sizes = []
    ticks = iter(range(count))

    def pause() -> None:
        if (tick := next(ticks)) % 50 == 0:
            time.sleep(0.02)
            # Memory depends on the number of files that are waiting.
            while len([*folder.iterdir()]) > 1500:
                time.sleep(0.02)
        if tick % (count // 20) == 0:
            sizes.append(watching.resident())

    day.run(pause)
    watching.wait_for(len(day.complete))
    time.sleep(2 * SETTLE)
    sizes.append(watching.resident())
    code, err = watching.end(signal.SIGTERM)
    assert (code, err) == (143, "")
    check(day, rows_of(output))
    assert len(day.complete) > 0.6 * count
    assert not {Path(path).name for path in day.complete} & {path.name for path in folder.iterdir()}
    return sizes


def test_a_simulated_hour(model_file: Path, folder: Path, tmp_path: Path, events: bool):
    run_day(model_file, folder, tmp_path / "x.jsonl", 2_000, events=events)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_simulated_day(model_file: Path, folder: Path, tmp_path: Path, events: bool):
    sizes = run_day(model_file, folder, tmp_path / "x.jsonl", 100_000, events=events)
    # After a tenth, everything has been loaded. A hundred bytes for each file would be 9 MB.
    assert max(sizes[2:]) - sizes[2] < 8e6, sizes


@pytest.mark.parametrize("moving", [False, True])
def test_random_kills_lose_nothing_and_duplicate_nothing(
    model_file: Path, folder: Path, tmp_path: Path, moving: bool
):
    chance = random.Random(2)  # noqa: S311
    day = Day(folder, 1_000, seed=3)
    output = tmp_path / "x.jsonl"
    more = ["--move-done", tmp_path / "done"] if moving else []
    writer = threading.Thread(target=day.run, args=(lambda: time.sleep(0.005),))
    writer.start()
    kills = 0
    while writer.is_alive():
        watching = Watching(model_file, folder, output, *more)
        time.sleep(chance.uniform(0.8, 2))
        watching.process.kill()
        watching.process.communicate()
        kills += 1
    writer.join()
    watching = Watching(model_file, folder, output, *more, "--once", "--exit-zero")
    _, err = watching.process.communicate(timeout=240)
    assert watching.process.returncode == 0, err
    assert kills >= 3
    check(day, rows_of(output))
