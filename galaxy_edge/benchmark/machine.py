"""The machine a measurement is of."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.doctor import installed, runtimes
from galaxy_edge.engine.threads import threads

_PACKAGES = ("galaxy-edge", "numpy", "pillow")
#: What an x86 calls itself, and a Raspberry Pi.
_MODEL = re.compile(r"^(?:model name|Model)\s*:\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """What speed depends on.

    Attributes:
        cpu: name of the processor.
        threads: how many are used, and for decoding as many.
        threads_from: what set this number.
        os: the operating system.
        python: version.
        packages: version by name of distribution.
    """

    cpu: str
    threads: int
    threads_from: str
    os: str
    python: str
    packages: dict[str, str | None]


def machine(requested: int | None = None, *, root: Path = Path("/")) -> Machine:
    """Look at this machine.

    Args:
        requested: the number of threads the user asks for.
        root: where ``proc`` is.
    """
    limit = threads(requested)
    packages = {name: installed(name) for name in _PACKAGES} | runtimes()
    return Machine(
        cpu=_cpu(root),
        threads=limit.count,
        threads_from=limit.source,
        os=platform.platform(),
        python=platform.python_version(),
        packages=packages,
    )


def _cpu(root: Path) -> str:
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    if found := _MODEL.search(text):
        return found[1].strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if name := done.stdout.strip():
            return name
    return platform.processor() or platform.machine()
