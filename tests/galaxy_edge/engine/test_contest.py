"""Which of OpenVINO and the processor ``auto`` uses, without OpenVINO."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from galaxy_edge import Predictor
from galaxy_edge.engine import contest as contest_module
from galaxy_edge.engine import session as session_module
from galaxy_edge.engine.contest import Contest, place

CPU, OPENVINO = "CPUExecutionProvider", "OpenVINOExecutionProvider"


class Clock:
    """A clock that scoring advances, by so many ms a batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.batches: list[tuple[str, tuple[int, ...]]] = []
        monkeypatch.setattr(contest_module.time, "perf_counter", lambda: self.now)

    def runner(self, name: str, ms: float):
        def run(images) -> None:
            self.batches.append((name, images.shape))
            self.now += ms / 1e3

        return run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def measured(clock: Clock, contest: Contest, openvino: float, cpu: float):
    return contest.measure(
        16, clock.runner("openvino", openvino), clock.runner("cpu", cpu)
    )  # fmt: skip


def test_what_was_measured_is_known_from_then_on(clock: Clock):
    contest = Contest("ab", 2, 8)
    assert contest.known() is None
    speed = measured(clock, contest, openvino=8.0, cpu=12.0)
    assert (speed.openvino, speed.cpu) == pytest.approx((1.0, 1.5))  # of one image
    assert speed.openvino_wins
    assert Contest("ab", 2, 8).known() == speed
    assert {shape for _, shape in clock.batches} == {(8, 16, 16, 3)}


@pytest.mark.parametrize(
    ("openvino", "cpu", "wins"), [(1, 2, True), (2, 1, False), (0.9, 1, True), (0.99, 1, False)]
)
def test_openvino_has_to_be_faster(clock: Clock, openvino: float, cpu: float, wins: bool):
    assert measured(clock, Contest("ab", 2, 8), openvino, cpu).openvino_wins is wins


@pytest.mark.parametrize("other", [Contest("cd", 2, 8), Contest("ab", 1, 8), Contest("ab", 2, 1)])
def test_another_file_or_option_is_measured_by_itself(clock: Clock, other: Contest):
    measured(clock, Contest("ab", 2, 8), 1, 2)
    assert other.known() is None


def test_another_version_or_processor_is_measured_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    contest = Contest("ab", 2, 8)
    measured(clock, contest, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(contest_module, "runtimes", lambda: {"onnxruntime-openvino": "9.9"})
        assert contest.known() is None
    with monkeypatch.context() as patch:
        patch.setattr(contest_module, "processor", lambda: "another")
        assert contest.known() is None
    assert contest.known() is not None


def test_a_clear_difference_needs_one_run_each(clock: Clock):
    measured(clock, Contest("ab", 2, 8), 100, 1)
    assert [name for name, _ in clock.batches] == ["openvino", "cpu"] * 2  # with the warm-up
    clock.batches.clear()
    measured(clock, Contest("ab", 2, 8), 1.1, 1)
    assert len(clock.batches) == 12


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "\x00"])
def test_a_damaged_memory_is_made_again(clock: Clock, text: str):
    contest = Contest("ab", 2, 8)
    measured(clock, contest, 1, 2)
    place().write_text(text)
    assert contest.known() is None
    measured(clock, contest, 1, 2)
    assert contest.known() is not None


def test_the_memory_keeps_the_newest(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contest_module, "_MOST", 3)
    for number in range(5):
        measured(clock, Contest(str(number), 2, 8), 1, 2)
    assert len(json.loads(place().read_text())) == 3
    assert Contest("4", 2, 8).known()
    assert Contest("1", 2, 8).known() is None


def test_a_folder_that_cannot_be_written_only_forgets(clock: Clock, cache: Path):
    cache.write_text("a file, where the folder should be")
    contest = Contest("ab", 2, 8)
    assert measured(clock, contest, 1, 2).openvino_wins
    assert contest.known() is None


@pytest.fixture
def pretended(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """OpenVINO as a second session of the processor; gives the providers that were opened."""
    opened: list[str] = []
    really = session_module._open

    def opening(model, options, provider, threads):
        opened.append(provider)
        return Pretended(really(model, options, CPU, threads), provider)

    class Pretended:
        def __init__(self, session, provider) -> None:
            self._session, self._provider = session, provider

        def get_providers(self):
            return [self._provider]

        def __getattr__(self, name):
            return getattr(self._session, name)

    monkeypatch.setattr(
        session_module.onnxruntime, "get_available_providers", lambda: [OPENVINO, CPU]
    )
    monkeypatch.setattr(session_module, "_open", opening)
    monkeypatch.setattr(session_module, "_left_to_the_cpu", lambda *_: [])
    return opened


def times(monkeypatch: pytest.MonkeyPatch, clock: Clock, openvino: float, cpu: float) -> None:
    monkeypatch.setattr(
        session_module,
        "_runner",
        lambda session: clock.runner(
            "", openvino if session.get_providers() == [OPENVINO] else cpu
        ),
    )


def test_auto_uses_the_faster_one_and_measures_once(
    pretended: list[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    times(monkeypatch, clock, openvino=20, cpu=10)
    predictor = Predictor(batch_size=10)
    assert predictor.provider == CPU
    (note,) = predictor.notes
    assert "openvino is not used" in note
    assert "2.00 ms with it and 1.00 ms without" in note
    assert pretended == [OPENVINO, CPU]
    pretended.clear()
    again = Predictor(batch_size=10)
    assert (again.provider, again.notes) == (predictor.provider, predictor.notes)
    assert pretended == [CPU]

    times(monkeypatch, clock, openvino=5, cpu=10)
    assert Predictor(batch_size=11).provider == OPENVINO
    pretended.clear()
    assert Predictor(batch_size=11).provider == OPENVINO
    assert pretended == [OPENVINO]


def test_a_requested_device_is_not_measured(
    pretended: list[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    times(monkeypatch, clock, openvino=20, cpu=10)
    assert Predictor(device="openvino").provider == OPENVINO
    assert Predictor(device="cpu").provider == CPU
    assert clock.batches == []
    assert not place().exists()
