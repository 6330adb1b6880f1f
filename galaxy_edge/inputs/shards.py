"""A share of the inputs for each job of an array: ``--shard 3/16``."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from galaxy_edge.errors import UsageError

#: Characters; more jobs than that has no machine.
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares.

    Which share a path falls to depends on the path, as it is written, alone: other inputs may come
    and go. The shares of all numbers are disjoint and complete, and about equal.

    Attributes:
        number: 1 to ``count``.
        count: number of shares.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``number/count``.

        Raises:
            UsageError: it is none, or the number is not one of 1 to count.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and len(text) < _LONGEST):
            raise UsageError(f"--shard takes NUMBER/COUNT, like 3/16, not {text!r}")
        if not 1 <= int(number) <= int(count):
            raise UsageError(f"--shard counts from 1 to {count}, so there is no {number}")
        return cls(int(number), int(count))

    def has(self, path: str) -> bool:
        """Whether a path falls to this share."""
        digest = hashlib.sha256(os.fsencode(path)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
