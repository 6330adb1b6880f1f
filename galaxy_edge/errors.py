"""Every error galaxy-edge raises on purpose.

    GalaxyEdgeError
    ├── UsageError      2   an argument, or the file it names, cannot be used
    │   └── DatasetError    image folders cannot be used; the message lists all problems
    ├── ImageError      1   one input cannot be read; the others are still processed
    ├── ModelError      3   a model file cannot be used
    ├── DeviceError     4   the requested device is missing or does not work
    └── GateError       5   a quality gate failed; nothing was written

The number is the exit code of the command line. A message says what is wrong, where, and what to
do.
"""

from __future__ import annotations

from collections.abc import Sequence


class GalaxyEdgeError(Exception):
    """Base class of all errors of galaxy-edge."""

    exit_code = 1


class UsageError(GalaxyEdgeError, ValueError):
    """An argument, or the file it names, cannot be used."""

    exit_code = 2


class DatasetError(UsageError):
    """Image folders cannot be used.

    Attributes:
        problems: one sentence per problem, in the order of the folders.
    """

    #: Maximum number of problems in the message; a folder may contain thousands of broken files.
    shown = 20

    def __init__(self, folder: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = [f"  - {problem}" for problem in self.problems[: self.shown]]
        hidden = len(self.problems) - self.shown
        if hidden > 0:
            lines.append(f"  - and {hidden} more")
        super().__init__("\n".join([f"{folder} cannot be used; solve these problems:", *lines]))


class ImageError(GalaxyEdgeError):
    """One input cannot be read as an image."""

    exit_code = 1


class ModelError(GalaxyEdgeError):
    """A model file is missing or damaged, or needs something that this runtime does not support."""

    exit_code = 3


class DeviceError(GalaxyEdgeError):
    """The requested device is missing or does not work."""

    exit_code = 4


class GateError(GalaxyEdgeError):
    """A quality gate failed; nothing was written."""

    exit_code = 5
