"""What a measurement is of, in its JSON: the machine as this project sees it, and the versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from galaxy_edge.benchmark.machine import machine


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add the processor, the threads and the versions, by which tools/growth names the machine."""
    machine_info["galaxy_edge"] = asdict(machine())
    # The clock of the moment: with it, no machine is the same twice for --benchmark-compare.
    for name in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(name, None)
