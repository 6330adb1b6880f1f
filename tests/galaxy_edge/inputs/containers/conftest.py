"""Fixtures for the tests of containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(params=["hdf5", "zarr_store"])
def write(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Writes arrays to an HDF5 file, and to a Zarr store."""
    from tests.galaxy_edge.inputs.containers import stacks

    return getattr(stacks, request.param)
