"""The model file as an argument, or after -m as for the other commands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("command", ["info", "verify"])
def test_the_model_file_may_also_follow_m(command: str, cli: Cli):
    assert cli(command, "-m", "documented") == cli(command, "documented")
    code, _, err = cli(command, "documented", "-m", "documented")
    assert code == 2
    assert "give one model file" in err
