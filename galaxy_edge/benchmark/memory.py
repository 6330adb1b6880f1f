"""Peak memory of this process."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak resident memory of the measuring process; None on Windows, where it is not measured.

    Attributes:
        peak_bytes: the peak after both scenarios.
        model_bytes: how much the peak grew while the model was loaded and scored its golden
            examples.
    """

    peak_bytes: int | None
    model_bytes: int | None


def peak_bytes() -> int | None:
    """Peak resident set size of this process, bytes; None on Windows, where it is not measured."""
    try:
        # On Linux, getrusage also counts memory of the parent process before this program started.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        status = ""
    if found := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
        return 1024 * int(found[1])
    try:
        import resource  # noqa: PLC0415
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
