"""Resuming: an interrupted run gives the result of an uninterrupted one, or is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY, galaxy_edge_in_process
from tests.galaxy_edge_train.rounding import bit_for_bit
from tests.galaxy_edge_train.runs import SLOW_TRAINING, assert_same_run
from tests.systems import posix

Cli = Callable[..., tuple[int, str, str]]


pytestmark = posix


@pytest.mark.slow
@bit_for_bit
def test_a_killed_run_resumes_to_the_same_result(data: Path, tmp_path: Path):
    command = ["train", str(data), *TINY, "--epochs", "6", "--stop-at-accuracy", "off", "--quiet"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert galaxy_edge_in_process(*command, "-o", whole) == 0

    # Killed within an epoch, at any time after the second commit.
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW_TRAINING, *command, "-o", str(killed)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stderr=subprocess.DEVNULL,
    )
    state = tmp_path / "killed.partial" / "checkpoint" / "state.json"
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if state.exists() and len(json.loads(state.read_text())["history"]) >= 2:
            child.send_signal(signal.SIGKILL)
            break
        time.sleep(0.02)
    assert child.wait(60) == -signal.SIGKILL
    assert not killed.exists()

    assert galaxy_edge_in_process(*command, "-o", killed, "--resume") == 0
    assert_same_run(whole, killed)


@pytest.mark.parametrize("damage", ["state.json", "config.json", "best", "last"])
def test_a_damaged_partial_run_is_reported(data: Path, tmp_path: Path, cli: Cli, damage: str):
    from galaxy_edge_train.run import Run

    command = ("train", data, "-o", tmp_path / "run", *TINY, "--epochs", "1", "-q")
    with pytest.MonkeyPatch.context() as patch:
        # This leaves the run as a kill before the renaming would.
        patch.setattr(Run, "finish", lambda self: self.partial)
        assert cli(*command)[0] == 0
    checkpoint = tmp_path / "run.partial" / "checkpoint"
    if damage in ("best", "last"):
        next(checkpoint.glob(f"{damage}-*")).unlink()
    else:
        next((tmp_path / "run.partial").rglob(damage)).write_text("")
    code, _, err = cli(*command, "--resume")
    assert code == 2
    assert "is damaged" in err
    assert "Traceback" not in err


def test_a_kill_before_the_renaming_loses_nothing(data: Path, tmp_path: Path, cli: Cli):
    from galaxy_edge_train.run import Run

    command = ("train", data, "-o", tmp_path / "run", *TINY, "--epochs", "2", "-q")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "finish", lambda self: self.partial)
        assert cli(*command)[0] == 0
    before = (tmp_path / "run.partial" / "epochs.csv").read_text()
    assert cli(*command, "--resume")[0] == 0
    # No epoch was trained again: even the times are those of the first attempt.
    assert (tmp_path / "run" / "epochs.csv").read_text() == before
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_run_cannot_be_resumed_with_another_keras(data: Path, tmp_path: Path, cli: Cli):
    from galaxy_edge_train.run import Run

    command = ("train", data, "-o", tmp_path / "run", *TINY, "--epochs", "1", "-q")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "finish", lambda self: self.partial)
        patch.setattr("galaxy_edge_train.random_state.keras_in_use", lambda: "jax, Keras 9")
        assert cli(*command)[0] == 0
    code, _, err = cli(*command, "--resume")
    assert code == 2
    assert "jax, Keras 9" in err


def test_resuming_needs_a_partial_run_with_the_same_options(data: Path, tmp_path: Path, cli: Cli):
    output = tmp_path / "run"
    code, _, err = cli("train", data, "-o", output, *TINY, "--resume")
    assert code == 2
    assert "nothing to resume" in err
    # A partial run, as after a kill.
    assert cli("train", data, "-o", output, *TINY, "--epochs", "1", "-q")[0] == 0
    output.rename(tmp_path / "run.partial")
    code, _, err = cli("train", data, "-o", output, *TINY, "--epochs", "2")
    assert code == 2
    assert "--resume" in err
    code, _, err = cli("train", data, "-o", output, *TINY, "--epochs", "2", "--resume")
    assert code == 2
    assert "other options (epochs)" in err
