"""Run a command of the user's for each row."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from galaxy_edge.errors import UsageError
from galaxy_edge.outputs.writers import Writer
from galaxy_edge.results import Prediction, Row

_STDERR = 2
#: Seconds that a killed command has to end; then the next row is written without waiting for it.
_LAST_WAIT = 5.0
_DAY = 24 * 60 * 60
_FIELD = re.compile(r"\{(\w+)\}")


class CommandWriter:
    """Writes each row with another writer, then runs a command.

    In the command's words, ``{label}`` is the value of the column ``label``, and so for the other
    columns; a column without a value is empty. The row is the command's standard input, as JSON.
    No shell reads the words, so a file name cannot do harm. The next row waits for the command, but
    not for ever: after ``limit`` the command and what it started are killed.

    Args:
        writer: takes the row first.
        command: the program and its arguments, quoted as for a shell.
        columns: names of the columns.
        note: called with a sentence for the user if the command fails.
        limit: seconds that a command may take.

    Raises:
        UsageError: the command cannot be run, or names a column that does not exist; or the limit
            is not between 0 and a day.
    """

    def __init__(
        self,
        writer: Writer,
        command: str,
        columns: tuple[str, ...],
        note: Callable[[str], None],
        limit: float,
    ) -> None:
        self._writer = writer
        self._note = note
        self._limit = limit
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--on-verdict {command}: {error}") from error
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(
                f"--on-verdict {command}: there is no such program; give the path of one"
            )
        if not 0 < limit <= _DAY:
            raise UsageError(
                f"--on-verdict-timeout must be more than 0 and at most {_DAY} seconds, "
                f"not {limit:g}"
            )
        for name in _FIELD.findall(command):
            if name not in columns:
                raise UsageError(
                    f"--on-verdict: a row has no column {name}; it has {', '.join(columns)}"
                )

    def write(self, prediction: Prediction) -> None:
        """Write one row, and run the command."""
        self._writer.write(prediction)
        row = prediction.row()
        words = [self._words[0], *(_filled(word, row) for word in self._words[1:])]
        name = prediction.id or prediction.path
        try:
            code = _run(words, json.dumps(row) + "\n", self._limit)
        except subprocess.TimeoutExpired:
            self._note(f"{words[0]} was killed after {self._limit:g} s for {name}")
        except OSError as error:
            self._note(f"{words[0]} cannot be run: {error.strerror}")
        else:
            if code:
                self._note(f"{words[0]} failed with the exit code {code} for {name}")


def _run(words: list[str], text: str, limit: float) -> int:
    # Its output must not come between rows on stdout. In a session of its own, it can be killed
    # with its children, and Ctrl-C is left to us.
    process = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
        words, stdin=subprocess.PIPE, stdout=_STDERR, text=True, start_new_session=True
    )
    try:
        process.communicate(text, timeout=limit)
    except BaseException:
        _kill(process)
        raise
    return process.returncode


def _kill(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        if sys.platform == "win32":
            process.kill()
        else:
            # Not permitted if the command changed its user, as sudo does.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        # A process that waits for a dead disk cannot even be killed.
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WAIT)


def _filled(word: str, row: Row) -> str:
    return _FIELD.sub(lambda found: _text(row[found[1]]), word)


def _text(value: object) -> str:
    # No argument of a program can have this character.
    return "" if value is None else str(value).replace("\0", "")
