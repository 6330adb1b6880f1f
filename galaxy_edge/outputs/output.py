"""Where the rows go: stdout, or a file that a kill at any moment leaves valid or resumable.

JSON Lines and CSV grow by a whole row at a time; what a kill cut off is dropped by the next
``--resume``. Parquet and FITS are written whole when the rows end, for whatever reason but a kill;
until then the rows are in a journal beside them, ``OUTPUT.partial`` (JSON Lines), from which
``--resume`` goes on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TextIO, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.formats import has_image_suffix
from galaxy_edge.outputs import columnar, resume
from galaxy_edge.results import CsvWriter, JsonLinesWriter, TableWriter, Writer

Form: TypeAlias = Literal["table", "jsonl", "csv", "parquet", "fits"]

_SUFFIXES: dict[str, Form] = {
    "": "table",
    ".txt": "table",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".fits": "fits",
}


@dataclass(frozen=True, slots=True)
class Output:
    """An open output.

    Attributes:
        writer: takes predictions.
        earlier: the rows that were there before.
    """

    writer: Writer
    earlier: resume.Earlier


def form_of(path: Path | None) -> Form:
    """The format that the suffix of an output names.

    Raises:
        UsageError: it names none.
    """
    suffix = path.suffix.lower() if path else ""
    if suffix not in _SUFFIXES:
        known = ", ".join(name for name in _SUFFIXES if name)
        raise UsageError(f"the suffix of {path} names no format; use {known}, or --format")
    return _SUFFIXES[suffix]


@contextmanager
def opened(
    path: Path | None, form: Form, origin: resume.Origin, *, resuming: bool
) -> Iterator[Output]:
    """Open an output, for rows to be written as they come.

    Args:
        path: the file; None for stdout.
        form: the format.
        origin: where the rows come from.
        resuming: keep the rows that are there.

    Raises:
        UsageError: it cannot be written, or not in this format, or has rows of another origin.
    """
    if resuming and (path is None or form == "table" or (path.exists() and not path.is_file())):
        raise UsageError("--resume needs -o with a .jsonl, .csv, .parquet or .fits file")
    if path is not None:
        _check_place(path, form)
    if form == "parquet" or form == "fits":  # noqa: PLR1714 - mypy narrows the type by it
        if path is None:
            raise UsageError(f"a {form} table is no stream; name a file with -o")
        with _journaled(path, form, origin, resuming=resuming) as output:
            yield output
    elif path is None:
        yield Output(_writer(form, stdout(), origin), resume.Earlier(origin))
    else:
        with _stream(path) as stream:
            earlier = resume.Earlier(origin)
            end = 0
            if resuming and form != "table":
                end = resume.read(path, form, earlier)
            _cut(stream, path, end)
            yield Output(_writer(form, stream, origin, begun=end > 0), earlier)


def _check_place(path: Path, form: Form) -> None:
    """Refuse to write over what must be something else: an image, or a FITS file of another."""
    try:
        path.resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be written: {error}") from error
    if not path.is_file() or path.stat().st_size == 0:
        return
    if form == "fits" and columnar.is_table(path):
        return
    if has_image_suffix(path.name):
        raise UsageError(f"{path} is there, and may be an image; name another output")


@contextmanager
def _journaled(
    path: Path, form: columnar.Form, origin: resume.Origin, *, resuming: bool
) -> Iterator[Output]:
    columnar.check(form)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} cannot be written: it is no regular file")
    journal = path.with_name(f"{path.name}.partial")
    begun = journal.exists() and journal.stat().st_size > 0
    with _stream(journal) as stream:
        earlier = resume.Earlier(origin, partial(columnar.stored, form=form))
        end = 0
        if resuming and begun:
            end = resume.read(journal, "jsonl", earlier)
        _cut(stream, journal, end)
        try:
            if resuming and not begun and path.exists():
                _take_over(path, form, stream, earlier)
        except BaseException:
            journal.unlink()
            raise
        try:
            yield Output(JsonLinesWriter(stream), earlier)
        finally:
            # After an error or an interrupt, too: what is finished is handed over.
            columnar.write(path, form, partial(resume.rows, journal))
            journal.unlink()


def _take_over(path: Path, form: columnar.Form, stream: TextIO, earlier: resume.Earlier) -> None:
    """Begin the journal with the rows of a finished table."""
    try:
        for row in columnar.read(path, form):
            earlier.add(row)
            stream.write(json.dumps(row) + "\n")
    except UsageError as error:
        raise UsageError(f"{path} cannot be resumed: {error}") from error


@contextmanager
def _stream(path: Path) -> Iterator[TextIO]:
    """Open a text file to add to, for ourselves alone as long as it is open."""
    try:
        # A row leaves when it is known. File names leave as the bytes they came in as.
        stream = path.open("a", buffering=1, encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with stream:
            if path.is_file() and not _locked(stream):
                raise UsageError(f"{path} is being written by another run; name another output")
            yield stream
    except OSError as error:
        # A full disk does not say whose.
        error.filename = error.filename or str(path)
        raise


def _locked(stream: TextIO) -> bool:
    """Keep other runs from a file until it is closed, or the process ends."""
    try:
        import fcntl  # noqa: PLC0415
    except ModuleNotFoundError:  # Windows
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems know no locks
        return True
    return True


def _cut(stream: TextIO, path: Path, end: int) -> None:
    """Drop what follows the first bytes of a file; a device or a pipe has nothing to drop."""
    if path.is_file():
        os.ftruncate(stream.fileno(), end)


def stdout() -> TextIO:
    """Standard output: UTF-8, names as the bytes they came in as, whatever the locale."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", line_buffering=True)
    return sys.stdout


def _writer(
    form: Literal["table", "jsonl", "csv"],
    stream: TextIO,
    origin: resume.Origin,
    *,
    begun: bool = False,
) -> Writer:
    if form == "jsonl":
        return JsonLinesWriter(stream)
    if form == "csv":
        return CsvWriter(stream, header=not begun)
    # https://no-color.org
    colour = stream.isatty() and not os.environ.get("NO_COLOR")
    return TableWriter(stream, origin.labels, colour=colour)
