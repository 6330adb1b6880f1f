"""Sources and destinations by their names: folders and files, or URLs (the extra ``cloud``)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from galaxy_edge.errors import UsageError
from galaxy_edge.inputs import paths as local
from galaxy_edge.inputs.bands import Bands
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.formats import container_kind, split_dataset, split_extension
from galaxy_edge.inputs.source import Source
from galaxy_edge.outputs import columnar
from galaxy_edge.outputs.kept import Kind
from galaxy_edge.survey.cloud.urls import Url, is_url
from galaxy_edge.survey.store import Folder, Store


def store(destination: str) -> Store:
    """The store of a survey.

    Raises:
        UsageError: it cannot be one, or a package is not installed.
    """
    if not is_url(destination):
        return Folder(Path(destination))
    with _installed(destination):
        from galaxy_edge.survey.cloud.store import Prefix  # noqa: PLC0415 - an extra

        return Prefix(destination)


def expand(source: str, stdin: BinaryIO, *, recursive: bool, layout: Layout) -> Iterator[str]:
    """The files and containers that a source names: see `galaxy_edge.inputs.paths.expand`."""
    partitioned = layout.image_column is not None
    if is_url(source):
        with _installed(source):
            from galaxy_edge.survey.cloud.source import expand  # noqa: PLC0415 - an extra
        yield from expand(source, recursive=recursive, partitioned=partitioned)
        return
    for path in local.expand([source], stdin, recursive=recursive, partitioned=partitioned):
        if path is not None:
            yield path


def images(
    paths: tuple[str, ...], folder: Path, *, bands: Bands | None, layout: Layout
) -> Iterable[Source | None]:
    """The images of a part.

    Args:
        paths: of the part.
        folder: takes copies of containers from a bucket. They are needed until the end.
        bands: group the files of three bands.
        layout: how containers are read.
    """
    if not any(map(is_url, paths)):
        return local.from_paths(paths, bands=bands, layout=layout)
    with _installed(paths[0]):
        from galaxy_edge.survey.cloud.source import images as remote  # noqa: PLC0415 - an extra
    return remote(paths, folder, bands=bands, layout=layout)


def declared(paths: tuple[str, ...], folder: Path, layout: Layout) -> dict[str, Kind]:
    """The types of the kept columns that a part declares, which only Parquet files do.

    Args:
        paths: of the part.
        folder: has the copies of containers from a bucket: see `images`.
        layout: names the columns.
    """
    path = paths[0]
    if not layout.keep or len(paths) > 1 or container_kind(path) != "parquet":
        return {}
    if is_url(path):
        from galaxy_edge.survey.cloud.source import copied  # noqa: PLC0415 - an extra

        path = copied(path, folder)
    try:
        return columnar.declared_kinds(Path(path), layout.keep)
    except (OSError, ValueError):  # a damaged file has a row that says so
        return {}


def size(path: str) -> int:
    """Bytes of a file; 0 for a folder, such as a Zarr store.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        if is_url(path):
            with _installed(path):
                from galaxy_edge.survey.cloud.source import size  # noqa: PLC0415 - an extra
            return size(path)
        file = Path(split_dataset(split_extension(path)[0])[0])
        return 0 if file.is_dir() else file.stat().st_size
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def check_apart(source: str, destination: str) -> None:
    """Refuse a destination in the source, whose rows could become inputs of the next run.

    Raises:
        UsageError: the destination is in the source.
    """
    if is_url(source) and is_url(destination):
        inside = f"{Url.parse(destination)}/".startswith(str(Url.parse(source)).rstrip("/") + "/")
    elif is_url(source) or is_url(destination):
        inside = False
    else:
        folder = Path(os.path.realpath(source))
        inside = folder.is_dir() and Path(os.path.realpath(destination)).is_relative_to(folder)
    if inside:
        raise UsageError(f"{destination} is in {source}; choose a destination outside the source")


@contextmanager
def _installed(name: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{Url.parse(name).root} needs {error.name}, which is not installed: "
            "pip install 'galaxy-edge[cloud]'"
        ) from error
