"""Whether OpenVINO is faster than the processor alone: measured once on each machine, then known.

It depends on the file. OpenVINO computes some networks in half the time and others in ten times.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.engine.processor import processor
from galaxy_edge.files import write_text
from galaxy_edge.versions import VERSION, runtimes

Run = Callable[[npt.NDArray[np.uint8]], object]

#: OpenVINO must need at most this share of the processor's time: its scores are less reproducible.
_SHARE = 0.95
#: A difference this large needs no second measurement.
_CLEAR = 2.0
_RUNS = 5
#: The file keeps this many measurements, the newest ones.
_MOST = 500


@dataclass(frozen=True, slots=True)
class Speed:
    """The time of an image, ms, in batches of one size.

    Attributes:
        openvino: with OpenVINO.
        cpu: with onnxruntime on the processor.
        day: when it was measured, as an ISO date.
    """

    openvino: float
    cpu: float
    day: str

    @property
    def openvino_wins(self) -> bool:
        """Whether OpenVINO is to be used."""
        return self.openvino <= _SHARE * self.cpu

    @property
    def why_not(self) -> str:
        """Why OpenVINO is not used, as a clause."""
        return (
            f"on {self.day} an image took {self.openvino:.2f} ms with it and {self.cpu:.2f} ms "
            "without; --device openvino uses it all the same"
        )


@dataclass(frozen=True, slots=True)
class Contest:
    """OpenVINO against the processor, for one file.

    Attributes:
        sha256: of the model file.
        threads: number of threads of an inference.
        batch: number of images in a batch.
    """

    sha256: str
    threads: int
    batch: int

    def known(self) -> Speed | None:
        """What was measured before, with the same file, machine, versions and options."""
        with suppress(KeyError, TypeError, ValueError):
            found = _remembered()[self._key()]
            return Speed(float(found["openvino"]), float(found["cpu"]), str(found["day"]))
        return None

    def measure(self, size: int, openvino: Run, cpu: Run) -> Speed:
        """Time both on noise, in turns, and remember the result if a folder for it can be written.

        Args:
            size: height and width of the images, pixels.
            openvino: scores a batch, uint8 [N, size, size, 3].
            cpu: the same on the processor.
        """
        rng = np.random.default_rng(0)
        batch = rng.integers(0, 256, (self.batch, size, size, 3), dtype=np.uint8)
        taken: list[list[float]] = [[], []]
        for run in (openvino, cpu):
            run(batch)  # the first batch of a size prepares for it
        for _ in range(_RUNS):
            for times, run in zip(taken, (openvino, cpu), strict=True):
                start = time.perf_counter()
                run(batch)
                times.append(1e3 * (time.perf_counter() - start) / self.batch)
            slow, fast = sorted(map(statistics.median, taken), reverse=True)
            if slow > _CLEAR * fast:
                break
        today = date.today().isoformat()
        speed = Speed(statistics.median(taken[0]), statistics.median(taken[1]), today)
        # Without it, the next process measures again.
        with suppress(OSError, RuntimeError):
            self._remember(speed)
        return speed

    def _remember(self, speed: Speed) -> None:
        known = _remembered()
        known.pop(self._key(), None)
        known[self._key()] = {"openvino": speed.openvino, "cpu": speed.cpu, "day": speed.day}
        newest = dict(list(known.items())[-_MOST:])
        place().parent.mkdir(parents=True, exist_ok=True)
        write_text(place(), json.dumps(newest, indent=1) + "\n")

    def _key(self) -> str:
        facts = [self.sha256, self.threads, self.batch, processor(), VERSION, runtimes()]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def place() -> Path:
    """The file of the measurements: in the user's folder for what can be made again."""
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "galaxy-edge", "openvino.json")


def _remembered() -> dict[str, Any]:
    """Everything measured so far; nothing if the file is missing or damaged."""
    try:
        found = json.loads(place().read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError):  # a user may have no home
        return {}
    return found if isinstance(found, dict) else {}
