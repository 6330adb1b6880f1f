"""Divide the inputs among the jobs of an array: ``--shard 3/16``."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from galaxy_edge.errors import UsageError

#: Maximum length of NUMBER/COUNT, characters. Python refuses numbers with thousands of digits.
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares of the inputs.

    The share of a path depends only on the path as it is written, so other inputs may be added or
    removed. The shares are disjoint, complete, and about equal in size.

    Attributes:
        number: 1 to ``count``.
        count: number of shares.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse ``number/count``.

        Raises:
            UsageError: the text has another form, or the number is not from 1 to count.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and len(text) < _LONGEST):
            raise UsageError(f"--shard takes NUMBER/COUNT, such as 3/16, not {text!r}")
        if not 1 <= int(number) <= int(count):
            raise UsageError(f"--shard takes a NUMBER from 1 to COUNT, not {text}")
        return cls(int(number), int(count))

    def has(self, path: str) -> bool:
        """Whether a path belongs to this share."""
        digest = hashlib.sha256(os.fsencode(path)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
