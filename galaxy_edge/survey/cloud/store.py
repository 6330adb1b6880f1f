"""A survey's files in a bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galaxy_edge.errors import UsageError
from galaxy_edge.survey.cloud.bucket import bucket
from galaxy_edge.survey.cloud.urls import Url, is_pattern


class Prefix:
    """A store in a folder of a bucket: see `galaxy_edge.survey.store.Store`.

    Args:
        url: the folder.

    Raises:
        UsageError: it cannot be a destination.
    """

    def __init__(self, url: str) -> None:
        place = Url.parse(url)
        if place.root.startswith("https:") or is_pattern(place.key):
            raise UsageError(f"{url} cannot be written; use a folder, s3://, gs:// or az://")
        self._bucket = bucket(place.root)
        self._root = place.key.rstrip("/") + "/" if place.key.strip("/") else ""
        self._url = url.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def create(self, name: str, content: Path | bytes) -> bool:
        """Write an object unless it exists; False if it does."""
        content = content if isinstance(content, bytes) else content.read_bytes()
        return self._bucket.create(self._root + name, content)

    def read(self, name: str) -> bytes | None:
        """The content of an object, or None if it does not exist."""
        try:
            return self._bucket.read(self._root + name)
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> Iterator[str]:
        """The names of the objects below a folder."""
        start = f"{self._root}{folder}/" if folder else self._root
        yield from (key.removeprefix(start) for key, _ in self._bucket.sizes(start))

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A copy of an object."""
        with tempfile.TemporaryDirectory(prefix="galaxy-edge-") as folder:
            path = Path(folder, Path(name).name)
            self._bucket.fetch(self._root + name, path)
            yield path
