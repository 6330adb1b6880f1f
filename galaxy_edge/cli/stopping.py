"""End a command that runs for months: finish what is in hand, then exit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer

#: What asks a program to end besides Ctrl-C: on Windows, Ctrl-Break and a closed window.
ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name))


class Stop:
    """Whether a signal came, and which."""

    def __init__(self) -> None:
        self._signal: int | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._signal is not None

    def ask(self, number: int) -> None:
        """Ask to stop, as a signal does."""
        self._signal = number

    def exit_if_asked(self) -> None:
        """Exit with the code that shells use for the signal."""
        if self._signal is not None:
            raise typer.Exit(128 + self._signal)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Turn the first signal into a wish to stop; the second one ends the command as always."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDINGS)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: object) -> None:  # noqa: ARG001
        stop.ask(number)
        restore()

    for number in (signal.SIGINT, *ENDINGS):
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
