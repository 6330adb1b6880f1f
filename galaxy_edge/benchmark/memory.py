"""The most memory that this process has taken."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the measuring process; None where it cannot be measured (Windows).

    Attributes:
        peak_bytes: the most, when both scenarios were over.
        model_bytes: by how much it grew while the model was loaded and scored its examples.
    """

    peak_bytes: int | None
    model_bytes: int | None


def peak_bytes() -> int | None:
    """Peak resident set of this process, bytes; None on Windows, where it is not measured."""
    try:
        # Linux's getrusage counts what the parent held before this program was started, too.
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
