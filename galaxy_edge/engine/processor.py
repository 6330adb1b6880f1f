"""The name of this machine's processor."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

#: The processor's name in /proc/cpuinfo, on x86 and on a Raspberry Pi.
_MODEL = re.compile(r"^(?:model name|Model)\s*:\s*(.+)$", re.MULTILINE)


def processor(root: Path = Path("/")) -> str:
    """The name that the system gives its processor.

    Args:
        root: folder that contains ``proc``.
    """
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
