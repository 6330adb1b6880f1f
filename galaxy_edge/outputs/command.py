"""Run a command of the user's for each row."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable

from galaxy_edge.errors import UsageError
from galaxy_edge.outputs.writers import Writer
from galaxy_edge.results import Prediction, Row

_STDERR = 2
_FIELD = re.compile(r"\{(\w+)\}")


class CommandWriter:
    """Writes each row with another writer, then runs a command.

    In the command's words, ``{label}`` is the value of the column ``label``, and so for the other
    columns; a column without a value is empty. The row is the command's standard input, as JSON.
    No shell reads the words, so a file name cannot do harm. The next row waits for the command.

    Args:
        writer: takes the row first.
        command: the program and its arguments, quoted as for a shell.
        columns: names of the columns.
        note: called with a sentence for the user if the command fails.

    Raises:
        UsageError: the command cannot be run, or names a column that does not exist.
    """

    def __init__(
        self,
        writer: Writer,
        command: str,
        columns: tuple[str, ...],
        note: Callable[[str], None],
    ) -> None:
        self._writer = writer
        self._note = note
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--on-verdict {command}: {error}") from error
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(
                f"--on-verdict {command}: there is no such program; give the path of one"
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
        try:
            # Its output must not come between rows on stdout.
            done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
                words, input=json.dumps(row) + "\n", text=True, check=False, stdout=_STDERR
            )
        except OSError as error:
            self._note(f"{words[0]} cannot be run: {error.strerror}")
        else:
            if done.returncode:
                self._note(
                    f"{words[0]} failed with the exit code {done.returncode} for "
                    f"{prediction.id or prediction.path}"
                )


def _filled(word: str, row: Row) -> str:
    return _FIELD.sub(lambda found: _text(row[found[1]]), word)


def _text(value: object) -> str:
    # No argument of a program can have this character.
    return "" if value is None else str(value).replace("\0", "")
