"""Adds the machine, as this project describes it, and the versions to the benchmarks' JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from galaxy_edge.benchmark.machine import machine


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add the processor, the threads and the versions, which tools/growth prints."""
    machine_info["galaxy_edge"] = asdict(machine())
    # The current clock rate changes from run to run, so --benchmark-compare would always report a
    # different machine.
    for name in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(name, None)


def pytest_xdist_auto_num_workers() -> int:
    """None: benchmarks need the machine for themselves."""
    return 0
