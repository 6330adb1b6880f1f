"""Make text safe for a file, a spreadsheet or a terminal: a file name may have any character."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

#: Text that a spreadsheet would run as a formula, after any number of apostrophes: the characters
#: that OWASP lists under "CSV Injection", in their full width too.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def csv_line(values: Iterable[object]) -> str:
    """Format a CSV row after RFC 4180, but ended by a bare newline; None is an empty cell.

    Text that a spreadsheet would run as a formula begins with an apostrophe; `csv_text` removes
    it. Numbers stay as they are.
    """
    cells = [_cell(value) for value in values]
    line = io.StringIO(newline="")
    # The csv module quotes a carriage return only if its line terminator contains one; an unquoted
    # one in a file name would break the row.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: object) -> object:
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    # As in JSON.
    return str(value).lower() if isinstance(value, bool) else value


def csv_text(cell: str) -> str:
    """The text of a cell that `csv_line` wrote."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def printable(text: str) -> str:
    """Escape the characters that could start a new row or control the terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
