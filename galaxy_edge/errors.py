"""Every error galaxy-edge raises on purpose.

    GalaxyEdgeError
    ├── UsageError      2   arguments that cannot be honoured
    │   └── DatasetError    labelled folders that cannot be trained on, all faults at once
    ├── ImageError      1   one input cannot be read; the others go on
    ├── ModelError      3   a model file cannot be used
    ├── DeviceError     4   the device asked for is not there
    └── GateError       5   a quality gate failed; nothing was written

The number is the exit code of the command line. A message says what was wrong, with what, and
what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence


class GalaxyEdgeError(Exception):
    """Base of all errors of galaxy-edge; catch it to catch them all."""

    exit_code = 1


class UsageError(GalaxyEdgeError, ValueError):
    """Arguments that cannot be honoured."""

    exit_code = 2


class DatasetError(UsageError):
    """Labelled folders that cannot be used.

    Attributes:
        problems: one sentence for each fault found, in the order of the folders.
    """

    #: Faults printed in full; a folder of ten thousand broken files needs no ten thousand lines.
    shown = 20

    def __init__(self, folder: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = [f"  - {problem}" for problem in self.problems[: self.shown]]
        hidden = len(self.problems) - self.shown
        if hidden > 0:
            lines.append(f"  - and {hidden} more")
        super().__init__("\n".join([f"{folder} cannot be used as it is:", *lines]))


class ImageError(GalaxyEdgeError):
    """One input could not be turned into an image."""

    exit_code = 1


class ModelError(GalaxyEdgeError):
    """A model file is missing, damaged, or asks for what this runtime cannot do."""

    exit_code = 3


class DeviceError(GalaxyEdgeError):
    """The device asked for is not there, or does not work."""

    exit_code = 4


class GateError(GalaxyEdgeError):
    """A quality gate failed: the result is not written."""

    exit_code = 5
