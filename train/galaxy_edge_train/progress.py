"""Progress of long work on stderr: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from galaxy_edge.outputs.text import printable


class Bar:
    """One progress bar for the current step of the work, with printed lines above it.

    Args:
        quiet: print nothing but warnings.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._warnings = Console(stderr=True, soft_wrap=True, highlight=False)
        self._console = Console(stderr=True, quiet=quiet, soft_wrap=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print one line above the bar, also if it is quiet."""
        # On a terminal, the bar is drawn again below what its own console prints.
        console = self._warnings if self._console.quiet else self._console
        console.print(printable(text), markup=False)

    def show_decoding(self, done: int, total: int) -> None:
        """Show how many files are decoded."""
        self.show("decoding", done, total)

    def show(self, text: str, done: int, total: int) -> None:
        """Show the progress of the step called ``text``."""
        if self._task is None:
            self._task = self._bar.add_task(text, total=total)
        self._bar.update(self._task, description=text, completed=done, total=total)

    def clear(self) -> None:
        """Remove the bar; the next `show` starts a new one."""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


class TrainingProgress(Bar, keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the progress of decoding and of each epoch.

    Args:
        epochs: maximum number of epochs.
        quiet: print nothing.
    """

    def __init__(self, epochs: int, *, quiet: bool = False) -> None:
        Bar.__init__(self, quiet=quiet)
        keras.callbacks.Callback.__init__(self)
        self.begin("", epochs)

    def begin(self, name: str, epochs: int) -> None:
        """The epochs that follow are so many, and of this step, whose name ends with a comma."""
        self._name = name
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch + 1
        self.clear()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self.show(
            f"{self._name}epoch {self._epoch}/{self._epochs}  accuracy {logs['accuracy']:.4f}",
            batch + 1,
            self.params["steps"],
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self.clear()
        self.note(
            f"{self._name}epoch {epoch + 1}/{self._epochs}  accuracy {logs['accuracy']:.4f}  "
            f"loss {logs['loss']:.4f}  validation accuracy {logs['val_accuracy']:.4f}  "
            f"validation loss {logs['val_loss']:.4f}"
        )
