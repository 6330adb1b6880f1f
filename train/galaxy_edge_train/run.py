"""The run folder: where each file lies, and how it comes to be there whole.

A run is made in ``NAME.partial`` and renamed to ``NAME`` when it is done, so that a folder
called ``NAME`` is always complete. Inside, ``checkpoint/state.json`` is the one truth about how
far a partial run has come: everything it names was written before it, and what is newer than it
is forgotten on resuming.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from galaxy_edge.errors import UsageError
from galaxy_edge.files import write_text

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class State:
    """How far a run has come.

    Attributes:
        history: one row an epoch.
        last: name of the checkpoint of the last epoch, optimizer included.
        best: name of the weights of the best epoch.
        generators: states of the layers' random generators (dropout's), in layer order; a
            ``.keras`` file does not hold them.
        keras: backend and version; a run must not go on with another one.
    """

    history: tuple[Row, ...]
    last: str
    best: str
    generators: tuple[tuple[int, ...], ...]
    keras: str


class Run:
    """A run folder under way.

    Args:
        output: the folder that will hold the finished run.
    """

    def __init__(self, output: Path) -> None:
        if not output.name:
            raise UsageError(f"{output} names no folder to make; give another one with -o")
        self.output = output
        self.partial = output.with_name(output.name + ".partial")
        self.checkpoints = self.partial / "checkpoint"

    def check_free(self, *, resume: bool) -> None:
        """Refuse what cannot end well.

        Raises:
            UsageError: the run is finished or under way already, or there is nothing to resume.
        """
        if self.output.exists():
            raise UsageError(f"{self.output} is there already; give another one with -o")
        if self.partial.exists() and not resume:
            raise UsageError(
                f"{self.partial} holds an unfinished run; go on with --resume, or delete it"
            )
        if resume and not self.partial.exists():
            raise UsageError(f"nothing to resume: there is no {self.partial}")

    def start(self, config: Mapping[str, Any], data: Mapping[str, Any], *, resume: bool) -> None:
        """Make the partial folder, or go on with the one that is there.

        Raises:
            UsageError: as for `check_free`, or it was begun with other options or other data.
        """
        self.check_free(resume=resume)
        if resume and (self.partial / "data.json").exists():
            self._check_same("config.json", config, "was begun with other options")
            self._check_same("data.json", data, "was begun with other data")
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.write_json("config.json", config)
        self.write_json("data.json", data)

    def state(self) -> State | None:
        """The last committed state, or None before the first epoch's end."""
        path = self.checkpoints / "state.json"
        if not path.exists():
            return None
        with self._damage_told():
            document = json.loads(path.read_text(encoding="utf-8"))
            state = State(
                tuple(document["history"]),
                document["last"],
                document["best"],
                tuple(map(tuple, document["generators"])),
                document["keras"],
            )
            for name in (state.last, state.best):
                (self.checkpoints / name).stat()
        return state

    def commit(self, state: State, batches: Sequence[Row]) -> None:
        """Record an epoch whose checkpoints are written; drop those before it."""
        self.write_rows("batches.csv", batches)
        self.write_rows("epochs.csv", state.history)
        write_text(self.checkpoints / "state.json", json.dumps(asdict(state)))
        for path in self.checkpoints.iterdir():
            if path.name not in (state.last, state.best, "state.json"):
                path.unlink()

    def batches(self, epochs: int) -> list[Row]:
        """The batch rows of the first epochs."""
        path = self.partial / "batches.csv"
        if not path.exists():
            return []
        with self._damage_told(), path.open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            ]
        return [row for row in rows if row["epoch"] <= epochs]

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file of the run."""
        write_text(self.partial / name, json.dumps(document, indent=1) + "\n")

    def write_rows(self, name: str, rows: Sequence[Row]) -> None:
        """Write a CSV file of the run; whole numbers stay whole."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: int(value) if key in _COUNTS else value for key, value in row.items()}
            )
        write_text(self.partial / name, text.getvalue())

    def finish(self) -> Path:
        """Make the run public under its own name."""
        self.partial.rename(self.output)
        # Last: a kill before the renaming must find the checkpoints still there.
        shutil.rmtree(self.output / self.checkpoints.name)
        return self.output

    def _check_same(self, name: str, document: Mapping[str, Any], what: str) -> None:
        with self._damage_told():
            before = dict(json.loads((self.partial / name).read_text(encoding="utf-8")))
        now = json.loads(json.dumps(document))
        differing = sorted(
            key for key in before.keys() | now.keys() if before.get(key) != now.get(key)
        )
        if differing:
            raise UsageError(
                f"{self.partial} {what} ({', '.join(differing)}); repeat its command with "
                "--resume, or give another -o"
            )

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{self.partial} is damaged ({error!r}); delete it and train anew"
            ) from error


_COUNTS = frozenset({"epoch", "batch"})
