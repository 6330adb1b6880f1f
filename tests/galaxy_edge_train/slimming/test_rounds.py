"""``train --slim`` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import galaxy_edge_in_process
from tests.galaxy_edge_train.rounding import bit_for_bit
from tests.galaxy_edge_train.runs import weights

Cli = Callable[..., tuple[int, str, str]]
NETWORK = (
    "--image-size", "16", "--filters", "24,32", "--dense-units", "24", "--augment", "exact",
    "--epochs", "3", "--stop-at-accuracy", "off", "--batch-size", "8",
)  # fmt: skip


def slimming(run: Path) -> list[dict]:
    return json.loads((run / "metrics.json").read_text())["slimming"]


def widths(run: Path) -> list[int]:
    return [each.shape[-1] for each in weights(run) if each.ndim > 1][:-1]


@pytest.fixture(scope="module")
def slim_run(session_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("slim") / "run"
    # Any loss of accuracy is allowed, so that every round is kept.
    options = ("--slim", "--slim-drop", "100", "--quiet")
    assert galaxy_edge_in_process("train", session_data, "-o", output, *NETWORK, *options) == 0
    return output


def test_the_model_is_what_the_last_kept_round_made(slim_run: Path):
    rounds = slimming(slim_run)
    assert len(rounds) >= 2
    assert all(each["kept"] for each in rounds)
    before = [24 * 27 * 14**2 + 32 * 24 * 9 * 5**2 + 24 * 32 * 4 + 24]
    found = before + [each["multiplications"] for each in rounds]
    assert all(after <= 0.75 * ago for ago, after in pairwise(found))
    assert widths(slim_run) == rounds[-1]["widths"] != [24, 32, 24]
    parameters = json.loads((slim_run / "metrics.json").read_text())["parameters"]
    assert parameters == sum(each.size for each in weights(slim_run))


def test_the_smaller_network_is_exported_and_classifies(slim_run: Path, tmp_path: Path, cli: Cli):
    file = tmp_path / "slim.onnx"
    assert cli("export", slim_run, "-o", file, "--quantize", "--min-speedup", "0", "-q")[0] == 0
    code, out, err = cli("verify", file)
    assert code == 0, out + err


def test_a_round_that_loses_too_much_is_undone(
    session_data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    from galaxy_edge_train import scoring

    found = iter([0.9, 0.899, 0.8, 0.9, 0.8, 0.8])
    monkeypatch.setattr(scoring, "accuracy", lambda *_: next(found))
    run = tmp_path / "run"
    code, _, err = cli("train", session_data, "-o", run, *NETWORK, "--slim", "--slim-drop", "0.1")
    assert code == 0, err
    rounds = slimming(run)
    assert [(each["share"], each["kept"]) for each in rounds] == [
        (0.25, True), (0.25, False), (0.125, True), (0.125, False), (0.0625, False),
    ]  # fmt: skip
    assert widths(run) == rounds[2]["widths"]
    assert err.count("too low: undone") == 3


@bit_for_bit
def test_an_interrupted_slimming_continues_after_its_last_round(
    session_data: Path, slim_run: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    from galaxy_edge_train.slimming import rounds

    command = ("train", session_data, "-o", tmp_path / "run", *NETWORK, "--slim")
    command = (*command, "--slim-drop", "100", "--quiet")
    learn, calls = rounds.learn, []

    def interrupted(*arguments: object, **options: object) -> None:
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        learn(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(rounds, "learn", interrupted)
        assert cli(*command)[0] == 130
    assert cli(*command, "--resume")[0] == 0
    assert slimming(tmp_path / "run") == slimming(slim_run)
    for mine, theirs in zip(weights(tmp_path / "run"), weights(slim_run), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("damage", ["rounds.json", "slim-1.keras"])
def test_a_damaged_round_is_reported(
    session_data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, damage: str
):
    from galaxy_edge_train.run import Run

    command = ("train", session_data, "-o", tmp_path / "run", *NETWORK, "--epochs", "1", "-q")
    command = (*command, "--slim", "--slim-drop", "100")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "finish", lambda self: self.partial)
        assert cli(*command)[0] == 0
    (tmp_path / "run.partial" / "checkpoint" / damage).unlink()
    if damage == "rounds.json":
        (tmp_path / "run.partial" / "checkpoint" / damage).write_text("[1]")
    code, _, err = cli(*command, "--resume")
    assert code == 2
    assert "is damaged" in err


def test_a_drop_without_slimming_is_refused(session_data: Path, tmp_path: Path, cli: Cli):
    code, _, err = cli("train", session_data, "-o", tmp_path / "run", "--slim-drop", "1")
    assert code == 2
    assert "--slim-drop needs --slim" in err


def test_resuming_with_another_drop_is_refused(
    session_data: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    from galaxy_edge_train.slimming import rounds

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    command = ("train", session_data, "-o", tmp_path / "run", *NETWORK, "-q", "--slim")
    monkeypatch.setattr(rounds, "learn", interrupted)
    assert cli(*command)[0] == 130
    code, _, err = cli(*command, "--slim-drop", "2", "--resume")
    assert code == 2
    assert "was started with other options (slim)" in err
