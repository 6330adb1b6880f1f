"""`galaxy-edge watch` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: Seconds: a file that nobody has written to for so long is complete.
SETTLE = 1.0


class Watching:
    """A process that watches a folder."""

    def __init__(
        self, model: Path, folder: Path, output: Path, *more: object, events: bool = False
    ):
        self.output = output
        # Without watchfiles, the folder is polled.
        hidden = "" if events else "sys.modules['watchfiles'] = None; "
        code = f"import sys; {hidden}from galaxy_edge.cli import main; main()"
        words = ["watch", folder, "-m", model, "-o", output, "--settle", SETTLE, "-q", *more]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=240)
        return self.process.returncode, err

    def wait_for(self, rows: int) -> None:
        end = time.monotonic() + 240
        while len(rows_of(self.output)) < rows:
            assert time.monotonic() < end, self.process.poll()
            time.sleep(0.02)

    def resident(self) -> int:
        """Memory in use, bytes."""
        status = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def rows_of(output: Path) -> list[dict]:
    if not output.exists():
        return []
    lines = output.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]
