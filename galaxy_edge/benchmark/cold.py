"""The time until the first verdict, and the time to load a model."""

from __future__ import annotations

import os
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
    """Times of a cold start.

    Attributes:
        first_process_seconds: duration of ``galaxy-edge predict`` on one image, from the start of
            the process to its end, the first time. The files it reads are in the file cache,
            because the measuring process has read them.
        process_seconds: the same, for all later runs.
        load_seconds: time to create a `Predictor`, the first time in a process that has imported
            it, without its check of the golden examples.
    """

    first_process_seconds: float
    process_seconds: Percentiles
    load_seconds: float


@dataclass(frozen=True, slots=True)
class Warm:
    """Times in a process that has loaded the model before.

    Attributes:
        load_seconds: time to create a `Predictor` from the file, without its check of the golden
            examples.
    """

    load_seconds: Percentiles


def repeated(work: Callable[[], object], seconds: float) -> list[float]:
    """Time a function repeatedly for a number of seconds, 3 to 30 times.

    Returns:
        The seconds of each call.
    """
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _FEWEST or (len(times) < _MOST and time.perf_counter() < end):
        times.append(timed(work))
    return times


def timed(work: Callable[[], object]) -> float:
    """Time one call of a function, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def predict(image: str, options: Sequence[str]) -> None:
    """Run ``galaxy-edge predict`` on one image, in a separate process.

    Args:
        image: absolute path.
        options: options of ``predict``; their paths must also be absolute.

    Raises:
        ModelError: the command fails.
    """
    command = [*_program(), "predict", image, "--quiet", *options]
    done = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=_environment(),
    )
    if done.returncode:
        fault = done.stderr.decode(errors="replace").strip() or f"code {done.returncode}"
        raise ModelError(f"`{' '.join(command)}` failed: {fault}")


def _program() -> list[str]:
    """The command that starts this program; PyInstaller's is its own interpreter."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    # -P: not the package of the current folder.
    return [sys.executable, "-P", "-m", "galaxy_edge"]


def _environment() -> dict[str, str]:
    """The environment in which no other installation is measured than this package's.

    Its place is a folder, or a zip file made by zipapp.
    """
    place = str(Path(galaxy_edge.__file__).absolute().parents[1])
    others = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": f"{place}{os.pathsep}{others}" if others else place}
