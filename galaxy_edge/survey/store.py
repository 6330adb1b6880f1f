"""Where a survey keeps its files: each is written once and never changed."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from galaxy_edge.errors import UsageError
from galaxy_edge.files import sync

#: What file systems without hard links answer.
_NO_LINKS = (
    errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES,
    errno.EINVAL,  # on Windows
)  # fmt: skip


class Store(Protocol):
    """Files by their names, such as ``ledger/paths-00000000.json``."""

    def create(self, name: str, content: Path | bytes) -> bool:
        """Write a file, complete or not at all.

        Returns:
            False if the file exists already; it is not changed then.
        """

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None if it does not exist."""

    def names(self, folder: str) -> Iterator[str]:
        """The names of the files in a folder, such as ``ledger`` or ``""``, sorted."""

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A file on this machine with the content of a file that exists."""


class Folder:
    """A store in a folder, on a disk or on a file system that machines share.

    Args:
        root: the folder; `create` makes it.

    Raises:
        UsageError: the path is not a folder.
    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise UsageError(f"{root} exists and is not a folder; choose another destination")
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def create(self, name: str, content: Path | bytes) -> bool:
        """Write a file under a temporary name and link it to its own."""
        path = self._root / name
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        # Readers of tables skip hidden files. A kill may leave one.
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                shutil.copyfile(content, temporary)
            sync(temporary)
            created = _named(temporary, path)
            sync(path.parent)
            return created
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None if it does not exist."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> Iterator[str]:
        """The names of the files in a folder, sorted; hidden ones are not finished."""
        place = self._root / folder
        found = sorted(one.name for one in place.iterdir()) if place.is_dir() else []
        yield from (name for name in found if not name.startswith("."))

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self._root / name


def _named(temporary: Path, path: Path) -> bool:
    """Give a file its name; False if the name is taken, by another run for example."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Two runs could both get here, with the same rows.
        if path.exists():
            return False
        try:
            temporary.rename(path)
        except FileExistsError:  # on Windows, another run's file is not replaced
            return False
    return True
