"""What the first verdict costs, and what a model costs to load."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import galaxy_edge
from galaxy_edge.benchmark.spread import Percentiles
from galaxy_edge.errors import ModelError

_FEWEST, _MOST = 3, 30


@dataclass(frozen=True, slots=True)
class Cold:
    """Nothing is prepared.

    Attributes:
        first_process_seconds: from the start of ``galaxy-edge predict`` on one image to its end,
            the first time. The files it reads are in the file cache: this process has read them.
        process_seconds: the same, afterwards.
        load_seconds: `Predictor` made, the first time in a process that has imported it, without
            its check of examples.
    """

    first_process_seconds: float
    process_seconds: Percentiles
    load_seconds: float


@dataclass(frozen=True, slots=True)
class Warm:
    """The process has done it before.

    Attributes:
        load_seconds: `Predictor` made, from the file, without its check of examples.
    """

    load_seconds: Percentiles


def repeated(work: Callable[[], object], seconds: float) -> list[float]:
    """Seconds that something takes, again and again for so long: 3 to 30 times."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _FEWEST or (len(times) < _MOST and time.perf_counter() < end):
        times.append(timed(work))
    return times


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes, once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def predict(image: str, options: Sequence[str]) -> None:
    """Run ``galaxy-edge predict`` on one image, in a process of its own.

    Args:
        image: absolute path.
        options: of ``predict``; paths in them are absolute, too.

    Raises:
        ModelError: it gives no verdict.
    """
    command = [sys.executable, "-m", "galaxy_edge", "predict", image, "--quiet", *options]
    done = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        # Where this package is, so that no other is measured.
        cwd=Path(galaxy_edge.__file__).parents[1],
    )
    if done.returncode:
        fault = done.stderr.decode(errors="replace").strip() or f"code {done.returncode}"
        raise ModelError(f"`{' '.join(command)}` fails: {fault}")
