"""The machine on which a measurement is made."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.engine.processor import processor
from galaxy_edge.engine.threads import threads
from galaxy_edge.versions import installed, runtimes

_PACKAGES = ("galaxy-edge", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Machine:
    """Properties of the machine that affect speed.

    Attributes:
        cpu: name of the processor.
        threads: number of threads for inference; decoding uses the same number.
        threads_from: the limit that set this number.
        os: the operating system.
        python: version of Python.
        packages: version of each distribution, by name; None if it is not installed.
    """

    cpu: str
    threads: int
    threads_from: str
    os: str
    python: str
    packages: dict[str, str | None]


def machine(requested: int | None = None, *, root: Path = Path("/")) -> Machine:
    """Describe this machine.

    Args:
        requested: number of threads requested by the user.
        root: folder that contains ``proc``.
    """
    limit = threads(requested)
    packages = {name: installed(name) for name in _PACKAGES} | runtimes()
    return Machine(
        cpu=processor(root),
        threads=limit.count,
        threads_from=limit.source,
        os=platform.platform(),
        python=platform.python_version(),
        packages=packages,
    )
