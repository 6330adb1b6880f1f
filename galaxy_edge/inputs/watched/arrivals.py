"""Find new names in a folder by listing it, which works on every file system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from galaxy_edge.errors import UsageError


class Arrivals:
    """The names in a folder that were not in it before.

    Only the names that are in the folder now are kept in memory, so that a folder that files are
    moved out of can be watched for ever.

    Args:
        folder: the folder. Names that begin with a dot are never wanted.
        wanted: whether a file of this name is wanted.
        recursive: include the folders below it.
        leave_out: files and folders, absolute, that are not looked at.

    Raises:
        UsageError: the folder does not exist, or cannot be listed.
    """

    def __init__(
        self,
        folder: Path,
        wanted: Callable[[str], bool],
        *,
        recursive: bool = False,
        leave_out: frozenset[str] = frozenset(),
    ) -> None:
        self._folder = str(folder)
        self._wanted = wanted
        self._recursive = recursive
        self._leave_out = leave_out
        # By folder, the names that it had when it was listed last.
        self._known: dict[str, set[str]] = {self._folder: set()}
        try:
            os.scandir(folder).close()
            self._identity = self._identify()
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be watched: {error.strerror}; name an existing folder"
            ) from error

    def new(self) -> list[str]:
        """List the folder.

        Returns:
            The paths of the wanted files that have come since the last call, in any order.

        Raises:
            OSError: the folder cannot be listed now, as when a network is down. Call again later.
        """
        # Where a file system is not mounted, an empty folder appears. Its names would be forgotten
        # and, once it is mounted again, be new.
        forget = self._identify() == self._identity
        found: list[str] = []
        todo = [*self._known]
        # Folders that are found are added while this goes on.
        for folder in todo:
            try:
                found += self._listed(folder, todo, forget=forget)
            except OSError:
                if folder == self._folder:
                    raise
                if forget and not os.path.lexists(folder):
                    del self._known[folder]
        return found

    def among(self, paths: Iterable[str]) -> list[str]:
        """Those of some paths that are new and wanted, without a listing.

        A folder among them is only noted; its files come with the next listing.
        """
        found = []
        for path in paths:
            folder, name = os.path.split(path)
            known = self._known.get(folder)
            if known is None or name in known or not os.path.lexists(path):
                continue
            known.add(name)
            if taken := self._taken(folder, name, []):
                found.append(taken)
        return found

    def forget(self, path: str) -> None:
        """Take a file of this path for a new one, should it come again."""
        folder, name = os.path.split(path)
        self._known.get(folder, set()).discard(name)

    def _identify(self) -> tuple[int, int]:
        status = Path(self._folder).stat()
        return status.st_dev, status.st_ino

    def _listed(self, folder: str, todo: list[str], *, forget: bool) -> list[str]:
        known = self._known[folder]
        # For many names, this takes half as long as os.scandir.
        names = os.listdir(folder)  # noqa: PTH208
        new = [name for name in names if name not in known]
        # A listing may lack a name if the folder changed while it was read.
        if forget and len(names) - len(new) < len(known):
            known.difference_update(
                name
                for name in known.difference(names)
                if not os.path.lexists(os.path.join(folder, name))  # noqa: PTH118
            )
        known.update(new)
        return [path for name in new if (path := self._taken(folder, name, todo))]

    def _taken(self, folder: str, name: str, todo: list[str]) -> str | None:
        """The path of a new file that is wanted; a folder is added to those to list."""
        path = os.path.join(folder, name)  # noqa: PTH118 - many names are not wanted
        hidden = name.startswith(".")
        if hidden or not (self._recursive or self._wanted(name)) or self._is_left_out(path):
            return None
        if not os.path.isdir(path):  # noqa: PTH112
            return path if self._wanted(name) else None
        link = os.path.islink(path)  # noqa: PTH114
        if self._recursive and not (link and self._is_known(path)):
            self._known[path] = set()
            todo.append(path)
        return None

    def _is_left_out(self, path: str) -> bool:
        return bool(self._leave_out) and str(Path(path).absolute()) in self._leave_out

    def _is_known(self, link: str) -> bool:
        """Whether a link leads to a folder that is watched already."""
        place = Path(link).resolve()
        return any(Path(folder).resolve() == place for folder in self._known)
