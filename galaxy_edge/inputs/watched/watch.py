"""Watch a folder: an iterator of inputs that never ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.formats import container_kind, has_image_suffix
from galaxy_edge.inputs.paths import from_paths
from galaxy_edge.inputs.source import Source
from galaxy_edge.inputs.watched.arrivals import Arrivals
from galaxy_edge.inputs.watched.settling import Settling, State, state_of
from galaxy_edge.inputs.watched.waking import Waker

if TYPE_CHECKING:
    from galaxy_edge.inputs.containers.layout import Layout

_Done: TypeAlias = Callable[[list[str]], list[str]]

#: Seconds.
_MOST_LATE = 1.0
#: Files that are taken before the first of them are moved.
_MOST = 256


class Watch:
    """The images that arrive in a folder, each as soon as it is complete.

    A file that vanishes, or that changes while it is read, gives no row; if it is still there, it
    comes again when it is complete.

    Args:
        folder: the folder.
        settle: seconds without a change after which a file is complete.
        recursive: include the folders below it.
        once: end when every file has its row, and a last look finds no other.
        leave_out: files and folders that are not inputs, such as the output.
        stopped: whether to stop; what was taken is still finished.
        note: called with a sentence for the user.
        events: use watchfiles if it is installed.

    Raises:
        UsageError: the folder cannot be listed, or the settle time is negative.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settle: float = 2.0,
        recursive: bool = False,
        once: bool = False,
        leave_out: tuple[Path, ...] = (),
        stopped: Callable[[], bool] = lambda: False,
        note: Callable[[str], None] = lambda text: None,
        events: bool = True,
    ) -> None:
        if not settle >= 0:
            raise UsageError(f"the settle time must be 0 or more seconds, not {settle}")
        self._folder = folder
        self._once = once
        self._stopped = stopped
        self._note = note
        absolute = frozenset(str(path.absolute()) for path in leave_out)
        self._arrivals = Arrivals(folder, _is_wanted, recursive=recursive, leave_out=absolute)
        self._settling = Settling(settle, empty=once, vanished=self._arrivals.forget)
        self._waker = Waker(folder, stopped, recursive=recursive, events=events)
        self._is_listed, self._is_quiet = True, False
        self._listed_before = time.monotonic()
        # What was taken and has no row yet: path to state, and whether it was renamed.
        self._taken: dict[str, tuple[State, bool]] = {}
        # The files of the sources among them, by the path in their rows.
        self._files: dict[str, tuple[str, ...]] = {}

    def sources(
        self,
        *,
        bands: Bands | None = None,
        layout: Layout | None = None,
        done: _Done | None = None,
    ) -> Iterator[Source | None]:
        """The images, and None whenever no other is complete now.

        Args:
            bands: group the files of three bands.
            layout: how containers are read.
            done: called with the files that have got their rows; returns those that it moved away.
        """
        for source in from_paths(self._paths(done), bands=bands, layout=layout):
            if source is not None:
                # At the end come sets of bands that are not complete. They may be after a restart.
                if self._stopped() and any(file not in self._taken for file in source.files):
                    return
                files = [file for file in source.files if isinstance(file, str)]
                if source.path is not None and files:
                    self._files[source.path] = tuple(files)
            yield source

    def accept(self, path: str | None, *, failed: bool) -> bool:
        """Whether an outcome is final, and becomes a row.

        Args:
            path: that of the source.
            failed: whether the source could not be read.
        """
        files = self._files.get(path or "", ())
        taken = [(file, *self._taken[file]) for file in files if file in self._taken]
        now = [state_of(file) for file, _, _ in taken]
        changed = any(new not in (None, old) for new, (_, old, _) in zip(now, taken, strict=True))
        early = failed and any(renamed for _, _, renamed in taken)
        vanished = failed and None in now
        if not (changed or early or vanished):
            return True
        for file in files:
            self._taken.pop(file, None)
            self._settling.put_back(file, time.monotonic())
        del self._files[path or ""]
        return False

    def _paths(self, done: _Done | None) -> Iterator[str | None]:
        while not self._stopped():
            self._look()
            complete = self._settling.complete(time.monotonic())
            for number, (path, state, renamed) in enumerate(complete, start=1):
                if self._stopped():
                    break
                self._taken[path] = state, renamed
                yield path
                if number % _MOST == 0:
                    yield None
                    self._finish(done)
            if complete:
                yield None
                # Whatever was taken has its row now.
                self._finish(done)
                if self._once:
                    self._is_quiet = False
                    self._waker.hurry()
            elif self._once and self._is_quiet and not len(self._settling):
                return
            else:
                found = self._arrivals.among(self._waker.wait())
                self._settling.add(found, time.monotonic())

    def _look(self) -> None:
        if not self._waker.is_due():
            return
        began = time.monotonic()
        try:
            found = self._arrivals.new()
        except OSError as error:
            if self._is_listed:
                self._note(f"{self._folder} cannot be listed now: {error.strerror}; trying again")
            self._is_listed, self._is_quiet, found = False, False, []
        else:
            self._is_listed, self._is_quiet = True, not found
        late = began - self._listed_before if self._is_listed else 0.0
        self._settling.add(found, time.monotonic(), min(late, _MOST_LATE))
        self._listed_before = began
        self._waker.listed(began, found)

    def _finish(self, done: _Done | None) -> None:
        whole = [path for path in self._taken if container_kind(path)]
        files = [*whole, *(file for files in self._files.values() for file in files)]
        self._files.clear()
        finished = [path for path in files if self._taken.pop(path, None) is not None]
        if finished and done is not None:
            for path in done(finished):
                self._arrivals.forget(path)


def _is_wanted(name: str) -> bool:
    return has_image_suffix(name) or container_kind(name) in ("archive", "alerts")
