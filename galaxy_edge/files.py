"""Write a file completely or not at all, also if the power fails."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and rename it to ``path`` when the block succeeds.

    A reader sees the old file or the new one, never a part. After an error or a kill, the old file
    is unchanged. If ``path`` is a symbolic link, the link is kept and its target is replaced.

    Raises:
        OSError: the path cannot be written, or is not a regular file (a device, a pipe).
    """
    path = path.resolve()
    if path.is_symlink():  # until Python 3.13, `resolve` refuses it
        raise OSError(errno.ELOOP, "a symbolic link to itself; choose another path", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file; choose another path", str(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp gives access to the owner only; the permissions of the result follow the umask.
        os.chmod(temporary, 0o666 & ~_umask())
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk.

    A file that is renamed or created needs both, or it may be empty or absent after a power cut.
    """
    if path.is_dir():
        try:
            handle = os.open(path, os.O_RDONLY)
        except PermissionError:  # a folder that cannot be listed, and any folder on Windows
            return
    else:
        # On Windows, fsync needs a file that is open for writing.
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot do it for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def sync_below(folder: Path) -> None:
    """Wait until a folder with everything in it is on the disk."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(place, name))
        sync(Path(place))


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
