"""Fixtures of the tests of bad input."""

from __future__ import annotations

import pytest

from galaxy_edge import Predictor
from tests.galaxy_edge.bad import GOOD


@pytest.fixture(scope="module")
def predictor():
    return Predictor(batch_size=16)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with two good images in it."""
    for name, content in zip("az", GOOD, strict=True):
        (tmp_path / f"{name}.png").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path
