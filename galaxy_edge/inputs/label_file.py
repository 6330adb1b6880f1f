"""The file of labels that `galaxy-edge review` appends to: a catalogue in which the last line wins.

A line is never changed. A later line about the same image replaces an earlier one, and an empty
label takes it away.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

#: Of each line. The path is relative to the folder of the file, or absolute. `predicted` is the
#: model's label at that time; the others of a row's columns help people.
PATH, LABEL = "path", "label"
COLUMNS = (PATH, LABEL, "id", "status", "predicted", "score", "time")


def is_label_file(path: Path) -> bool:
    """Whether a file has the header of such a file."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline(200).rstrip(b"\r\n") == ",".join(COLUMNS).encode()


def labels_in(path: Path) -> dict[str, str]:
    """The label of each image, by its path as it is written; no image whose label was taken away.

    Images come in the order of their last change.
    """
    found: dict[str, str] = {}
    for name, label, _ in _lines(path):
        found.pop(name, None)
        if label:
            found[name] = label
    return found


def identifiers_in(path: Path) -> dict[str, str]:
    """The identifier that each image had when it was labelled last, by its path; none if empty."""
    return {name: identifier for name, _, identifier in _lines(path) if identifier}


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        for row in csv.DictReader(file):
            # A line that a kill cut off; `review` mends it.
            if row["time"]:
                yield row["path"], row["label"], row["id"]
