"""Append labels to a file so that a kill loses none that the page has shown as saved."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from galaxy_edge.errors import UsageError
from galaxy_edge.files import sync
from galaxy_edge.inputs.label_file import COLUMNS, is_label_file, labels_in
from galaxy_edge.outputs.resume import records
from galaxy_edge.outputs.text import csv_line
from galaxy_edge.review.rows import Row

_HEADER = (",".join(COLUMNS) + "\n").encode()
#: A spreadsheet would run a cell that begins so, and a reader of catalogues drops spaces.
_ODD = ("=", "+", "-", "@", "'", "\t", "\r", "\n", " ", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class LabelFile:
    """The open file of labels; a second `review` of the same file is refused.

    Args:
        path: the file, which is created if it does not exist. A line that a kill has cut off is
            removed.

    Attributes:
        path: the file.
        labels: the label of each image, by its path as the file has it.
        mended: bytes of a cut-off line that were removed.

    Raises:
        UsageError: it is another kind of file, or another `review` has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_new = not path.exists()
        self._root = path.absolute().parent
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        self._end = 0
        try:
            _lock(self._handle, path)
            self._end, self.mended = self._checked()
            self.labels = labels_in(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, which unlocks it; a new one without a label is removed."""
        with suppress(OSError):
            if self._is_new and self._end == len(_HEADER):
                self.path.unlink()
        with suppress(OSError):
            os.close(self._handle)

    def place(self, path: Path | str) -> str:
        """An image's path as the file writes it: relative to its folder, if it is below."""
        absolute = Path(path).absolute()
        if not absolute.is_relative_to(self._root):
            return absolute.as_posix()
        place = absolute.relative_to(self._root).as_posix()
        return f"./{place}" if place.startswith(_ODD) else place

    def add(self, changes: Sequence[tuple[str, str, Row]]) -> None:
        """Append labels, and return when they are on the disk.

        Args:
            changes: places (see `place`), labels, and the rows; an empty label takes it away.

        Raises:
            OSError: the disk is full, for example; then none of the labels was added.
        """
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = b"".join(
            csv_line((place, label, row.id, row.status, row.label, row.score, time)).encode(
                "utf-8", "surrogateescape"
            )
            for place, label, row in changes
        )
        try:
            self._append(lines)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._handle, self._end)
            raise
        self._end += len(lines)
        for place, label, _ in changes:
            self.labels.pop(place, None)
            if label:
                self.labels[place] = label

    def _append(self, lines: bytes) -> None:
        os.lseek(self._handle, self._end, os.SEEK_SET)
        left = memoryview(lines)
        while left:
            left = left[os.write(self._handle, left) :]
        os.fsync(self._handle)

    def _checked(self) -> tuple[int, int]:
        """The length of the complete lines, after the rest is cut off; and the bytes cut off."""
        content = self.path.read_bytes()
        if _HEADER.startswith(content):  # new, or cut off within the header
            os.ftruncate(self._handle, 0)
            self._end = 0
            self._append(_HEADER)
            sync(self._root)
            return len(_HEADER), len(content) % len(_HEADER)
        if not is_label_file(self.path):
            raise UsageError(
                f"{self.path} exists and is not a file of labels, whose first line is "
                f"{','.join(COLUMNS)}; choose another with --labels"
            )
        with self.path.open("rb") as file:
            end = sum(len(record) for record in records(file, "csv"))
        if end < len(content):
            os.ftruncate(self._handle, end)
        return end, len(content) - end


def check_class(name: str) -> None:
    """Refuse a class whose name a spreadsheet would run, since catalogues hold it as it is.

    Raises:
        UsageError: it begins with such a character.
    """
    if name.startswith(_ODD):
        raise UsageError(
            f"the class {name!r} cannot be written to a file of labels: a spreadsheet would run "
            "it; begin its name with a letter or a digit"
        )


def _lock(handle: int, path: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ModuleNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"{path} is open in another review; close that one, or choose another file with "
            "--labels"
        ) from error
    except OSError:  # some network file systems have no locks
        return
