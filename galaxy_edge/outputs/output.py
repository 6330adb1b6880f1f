"""Open the output of a run: stdout, or a file that stays valid or resumable after any kill.

JSON Lines and CSV grow by one complete row at a time; if a kill cuts off a row, the next
``--resume`` drops it. Parquet and FITS are written at once when the rows end, for any reason but a
kill. Until then the rows are in a journal next to them, ``OUTPUT.partial`` (JSON Lines), from which
``--resume`` continues.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.files import replacing
from galaxy_edge.inputs.formats import has_image_suffix
from galaxy_edge.outputs import resume
from galaxy_edge.outputs.writers import CsvWriter, JsonLinesWriter, TableWriter, Writer

if TYPE_CHECKING:
    from galaxy_edge.outputs import columnar

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
        earlier: the rows of earlier runs, which are kept.
        path: the file; None for stdout.
        sync: wait until the rows that were written are on the disk.
    """

    writer: Writer
    earlier: resume.Earlier
    path: Path | None
    sync: Callable[[], None] = lambda: None


def form_of(path: Path | None) -> Form:
    """Choose the format by the suffix of an output.

    Raises:
        UsageError: no format has this suffix.
    """
    suffix = path.suffix.lower() if path else ""
    if suffix not in _SUFFIXES:
        known = ", ".join(name for name in _SUFFIXES if name)
        raise UsageError(f"the suffix of {path} is not a known format; use {known}, or --format")
    return _SUFFIXES[suffix]


@contextmanager
def opened(
    path: Path | None, form: Form, origin: resume.Origin, *, resuming: bool
) -> Iterator[Output]:
    """Open an output, to write each row as soon as it is known.

    Args:
        path: the file; None for stdout.
        form: the format.
        origin: what the rows to write have in common.
        resuming: keep the rows in the file.

    Raises:
        UsageError: the file cannot be written, cannot have this format, or has rows of another
            origin.
    """
    if resuming and (path is None or form == "table" or (path.exists() and not path.is_file())):
        raise UsageError("--resume needs -o with a .jsonl, .csv, .parquet or .fits file")
    if path is not None:
        _check_place(path, form)
    if form == "parquet" or form == "fits":  # noqa: PLR1714 - mypy narrows the type by it
        if path is None:
            raise UsageError(f"a {form} table cannot be streamed; choose a file with -o")
        with _journaled(path, form, origin, resuming=resuming) as output:
            yield output
    elif path is None:
        yield Output(_writer(form, stdout(), origin), resume.Earlier(origin), path)
    else:
        with _stream(path) as stream:
            earlier = resume.Earlier(origin)
            end = 0
            if resuming and form != "table":
                end = resume.read(path, form, earlier)
            _cut(stream, path, end)
            writer = _writer(form, stream, origin, begun=end > 0)
            yield Output(writer, earlier, path, partial(_sync, stream))


def _check_place(path: Path, form: Form) -> None:
    """Refuse to overwrite a file that may be an image, or a FITS file that was not written here."""
    try:
        path.resolve()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be written: {error}") from error
    if not path.is_file() or path.stat().st_size == 0:
        return
    if form == "fits":
        from galaxy_edge.outputs import columnar

        if columnar.is_table(path):
            return
    if has_image_suffix(path.name):
        raise UsageError(f"{path} already exists and may be an image; choose another output")


@contextmanager
def _journaled(
    path: Path, form: columnar.Form, origin: resume.Origin, *, resuming: bool
) -> Iterator[Output]:
    from galaxy_edge.outputs import columnar

    columnar.check(form, origin.columns)
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path} cannot be written: it is not a regular file; choose another output"
        )
    journal = path.with_name(f"{path.name}.partial")
    if resuming and path.exists() and not (journal.exists() and journal.stat().st_size > 0):
        with _stream(journal):  # so that no other run does the same
            _take_over(path, form, journal, origin)
    with _stream(journal) as stream:
        earlier = resume.Earlier(origin, partial(columnar.stored, form=form))
        end = resume.read(journal, "jsonl", earlier) if resuming else 0
        _cut(stream, journal, end)
        try:
            yield Output(JsonLinesWriter(stream), earlier, path, partial(_sync, stream))
        finally:
            # Also after an error or an interrupt, so that finished rows are kept.
            rows = partial(resume.rows, journal)
            columnar.write(path, form, origin.columns, rows, origin.kept)
            journal.unlink()


def _take_over(path: Path, form: columnar.Form, journal: Path, origin: resume.Origin) -> None:
    """Make the journal from the rows of a finished table, completely or not at all."""
    from galaxy_edge.outputs import columnar

    earlier = resume.Earlier(origin, partial(columnar.stored, form=form))
    try:
        with replacing(journal) as temporary, temporary.open("w") as file:
            for row in columnar.read(path, form, earlier.columns, origin.kept):
                earlier.add(row)
                file.write(json.dumps(row) + "\n")
    except BaseException as error:
        journal.unlink(missing_ok=True)
        if isinstance(error, UsageError):
            raise UsageError(f"{path} cannot be resumed: {error}") from error
        raise


@contextmanager
def _stream(path: Path) -> Iterator[TextIO]:
    """Open a text file for appending; while it is open, other runs cannot write to it."""
    try:
        # Line buffering writes each row at once; surrogateescape keeps the bytes of file names.
        stream = path.open("a", buffering=1, encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise UsageError(
                f"{path} cannot be written: the folder {path.resolve().parent} does not exist; "
                "create it, or choose another output"
            ) from error
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; choose another output"
        ) from error
    try:
        with stream:
            if path.is_file() and not _locked(stream):
                raise UsageError(f"{path} is being written by another run; choose another output")
            yield stream
    except OSError as error:
        # The error of a full disk does not name the file.
        error.filename = error.filename or str(path)
        raise


def _locked(stream: TextIO) -> bool:
    """Lock a file until it is closed or the process ends; False if another run has locked it."""
    try:
        import fcntl
    except ModuleNotFoundError:
        return _locked_on_windows(stream.fileno())
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        return True
    return True


def _locked_on_windows(handle: int) -> bool:
    msvcrt = import_module("msvcrt")
    place = os.lseek(handle, 0, os.SEEK_CUR)
    # Nobody else may read or write a locked byte, so it is one far behind the end.
    os.lseek(handle, 1 << 40, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    finally:
        os.lseek(handle, place, os.SEEK_SET)
    return True


def _cut(stream: TextIO, path: Path, end: int) -> None:
    """Truncate a file to ``end`` bytes; leave a device or a pipe unchanged."""
    if path.is_file():
        os.ftruncate(stream.fileno(), end)


def _sync(stream: TextIO) -> None:
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        # A pipe or a device has nothing to wait for.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def stdout() -> TextIO:
    """Standard output: UTF-8 in any locale, with the bytes of file names unchanged."""
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
        return CsvWriter(stream, origin.columns, header=not begun)
    return TableWriter(stream, origin.classes, origin.statuses, colour=_takes_colour(stream))


def _takes_colour(stream: TextIO) -> bool:
    # https://no-color.org; a dumb terminal, such as a shell in Emacs, shows the codes as text.
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain
