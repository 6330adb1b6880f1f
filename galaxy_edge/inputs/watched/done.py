"""Move files out of the watched folder when they have their rows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


class Mover:
    """Moves files to a folder, where they keep their places below the watched one.

    A file never replaces another: ``m51.fits`` becomes ``m51-1.fits`` if there is one.

    Args:
        folder: the watched folder.
        target: where the files go. It is created when the first one does.
        sync: called first; waits until the rows of the files are on the disk.
        note: called with a sentence for the user about a file that cannot be moved.
    """

    def __init__(
        self, folder: Path, target: Path, sync: Callable[[], None], note: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._target = target
        self._sync = sync
        self._note = note

    def __call__(self, paths: list[str]) -> list[str]:
        """Move files. One that cannot be moved stays, with a note.

        Returns:
            Those that are away; a file may have vanished.
        """
        self._sync()
        return [path for path in paths if self._move(path)]

    def _move(self, path: str) -> bool:
        place = self._target / os.path.relpath(path, self._folder)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            # Renames, or copies if the folder is on another file system.
            shutil.move(path, _free(place))
        except FileNotFoundError:
            return not os.path.lexists(path)
        except OSError as error:
            self._note(f"{path} has its row but cannot be moved: {error.strerror or error}")
            return False
        return True


def _free(place: Path) -> Path:
    """A path that no file has, with the same suffixes."""
    found, number = place, 0
    while os.path.lexists(found):
        number += 1
        name, dot, suffixes = place.name.partition(".")
        found = place.with_name(f"{name}-{number}{dot}{suffixes}")
    return found
