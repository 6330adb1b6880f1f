"""Sentences about single inputs, on stderr."""

from __future__ import annotations

import sys

#: More would hide everything else on the terminal.
_SHOWN = 20


def print_note(text: str) -> None:
    """Print a sentence for the user."""
    from galaxy_edge.outputs.text import printable

    print(f"galaxy-edge: {printable(text)}", file=sys.stderr)


class Notes:
    """Prints the first notes of a run, and counts the others."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, text: str) -> None:
        """Take a note."""
        self._count += 1
        if self._count <= _SHOWN:
            print_note(text)

    def rest(self) -> None:
        """Say how many notes were not printed."""
        if (hidden := self._count - _SHOWN) > 0:
            print(f"galaxy-edge: and {hidden} more notes of this kind", file=sys.stderr)
