"""Make text safe for a file or a terminal: a file name may contain any character."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable


def csv_line(values: Iterable[object]) -> str:
    """Format a CSV row after RFC 4180, but ended by a bare newline; None is an empty cell."""
    line = io.StringIO(newline="")
    # The csv module quotes a carriage return only if its line terminator contains one; an unquoted
    # one in a file name would break the row.
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"


def printable(text: str) -> str:
    """Escape the characters that could start a new row or control the terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
