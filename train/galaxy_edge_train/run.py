"""The run folder: its files, and how they are written so that they are always complete.

A run is made in ``NAME.partial`` and renamed to ``NAME`` when it is done, so a folder called
``NAME`` is always complete. In a partial run, ``checkpoint/state.json`` alone says how far the run
has come. All files that it names were on the disk before it was written, also after a power cut.
Anything newer is ignored on resuming.
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
from galaxy_edge.files import sync, sync_below, write_text

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class State:
    """How far a run has come.

    Attributes:
        history: one row per epoch.
        last: file name of the checkpoint of the last epoch, with the optimizer.
        best: file name of the weights of the best epoch.
        generators: states of the layers' random generators (for dropout), in layer order; a
            ``.keras`` file does not store them.
        keras: backend and version of Keras; a run must be resumed with the same ones.
    """

    history: tuple[Row, ...]
    last: str
    best: str
    generators: tuple[tuple[int, ...], ...]
    keras: str


class Run:
    """A run folder that is being made.

    Args:
        output: the folder of the finished run.
    """

    def __init__(self, output: Path) -> None:
        if not output.name:
            raise UsageError(
                f"{output} has no name to create a folder with; choose another with -o"
            )
        self.output = output
        self.partial = output.with_name(output.name + ".partial")
        self.checkpoints = self.partial / "checkpoint"

    def check_free(self, *, resume: bool) -> None:
        """Check that the run can be started or resumed.

        Raises:
            UsageError: the run is already finished or partly done, or there is nothing to resume.
        """
        if self.output.exists():
            raise UsageError(f"{self.output} already exists; choose another output with -o")
        if self.partial.exists() and not resume:
            raise UsageError(
                f"{self.partial} is an unfinished run; continue it with --resume, or delete it"
            )
        if resume and not self.partial.exists():
            raise UsageError(f"nothing to resume: {self.partial} does not exist")

    def start(self, config: Mapping[str, Any], data: Mapping[str, Any], *, resume: bool) -> None:
        """Create the partial folder, or check the existing one for resuming.

        Raises:
            UsageError: as for `check_free`, or the run was started with other options or data.
        """
        self.check_free(resume=resume)
        if resume and (self.partial / "data.json").exists():
            self._check_same("config.json", config, "was started with other options")
            self._check_same("data.json", data, "was started with other data")
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.write_json("config.json", config)
        self.write_json("data.json", data)

    def state(self) -> State | None:
        """The last committed state, or None before the end of the first epoch."""
        path = self.checkpoints / "state.json"
        if not path.exists():
            return None
        with self._reporting_damage():
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
        """Record an epoch whose checkpoints are already written, and delete the older ones."""
        self.write_rows("batches.csv", batches)
        self.write_rows("epochs.csv", state.history)
        for name in {state.last, state.best}:
            sync(self.checkpoints / name)
        sync(self.checkpoints)
        write_text(self.checkpoints / "state.json", json.dumps(asdict(state)))
        for path in self.checkpoints.iterdir():
            if path.name not in (state.last, state.best, "state.json"):
                path.unlink()

    def slimmed(self, number: int) -> Path:
        """The network that a round of slimming made, counted from 0."""
        return self.checkpoints / f"slim-{number + 1}.keras"

    def rounds(self) -> list[dict[str, Any]]:
        """The rounds of slimming that are done, from `commit_rounds`."""
        path = self.checkpoints / "rounds.json"
        if not path.exists():
            return []
        with self._reporting_damage():
            rounds = list(json.loads(path.read_text(encoding="utf-8")))
            for number, each in enumerate(rounds):
                if each["kept"]:
                    self.slimmed(number).stat()
        return rounds

    def commit_rounds(self, rounds: Sequence[Mapping[str, Any]]) -> None:
        """Record the rounds of slimming so far; those that are kept have written their network."""
        for number, each in enumerate(rounds):
            if each["kept"]:
                sync(self.slimmed(number))
        sync(self.checkpoints)
        write_text(self.checkpoints / "rounds.json", json.dumps(list(rounds)))

    def batches(self, epochs: int) -> list[Row]:
        """The batch rows of the first epochs."""
        path = self.partial / "batches.csv"
        if not path.exists():
            return []
        with self._reporting_damage(), path.open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            ]
        return [row for row in rows if row["epoch"] <= epochs]

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file of the run."""
        write_text(self.partial / name, json.dumps(document, indent=1) + "\n")

    def write_rows(self, name: str, rows: Sequence[Row]) -> None:
        """Write a CSV file of the run, with epochs and batches as whole numbers."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: int(value) if key in _WHOLE_NUMBERS else value for key, value in row.items()}
            )
        write_text(self.partial / name, text.getvalue())

    def finish(self) -> Path:
        """Rename the partial folder to its final name."""
        sync_below(self.partial)
        self.partial.rename(self.output)
        sync(self.output.parent)
        # Last, because a run that is killed before the renaming still needs the checkpoints.
        shutil.rmtree(self.output / self.checkpoints.name)
        return self.output

    def _check_same(self, name: str, document: Mapping[str, Any], what: str) -> None:
        with self._reporting_damage():
            before = dict(json.loads((self.partial / name).read_text(encoding="utf-8")))
        now = json.loads(json.dumps(document))
        differing = sorted(
            key for key in before.keys() | now.keys() if before.get(key) != now.get(key)
        )
        if differing:
            raise UsageError(
                f"{self.partial} {what} ({', '.join(differing)}); repeat its original command with "
                "--resume, or choose another output with -o"
            )

    @contextmanager
    def _reporting_damage(self) -> Iterator[None]:
        """Turn the errors of reading a damaged file into a `UsageError`."""
        try:
            yield
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{self.partial} is damaged ({error!r}); delete it and train again"
            ) from error


_WHOLE_NUMBERS = frozenset({"epoch", "batch"})
