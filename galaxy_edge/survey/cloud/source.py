"""Inputs in a bucket: which ones there are, and their images."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.bands import Bands, braced, grouped
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import bounded, members
from galaxy_edge.inputs.formats import (
    container_kind,
    has_image_suffix,
    has_input_suffix,
    split_dataset,
    split_extension,
)
from galaxy_edge.inputs.listing import is_partition
from galaxy_edge.inputs.source import Source
from galaxy_edge.survey.cloud.bucket import CONCURRENCY, bucket
from galaxy_edge.survey.cloud.urls import Url, is_pattern, is_url, literal_start, matches

#: Images that are read ahead.
_AHEAD = 2 * CONCURRENCY


def expand(url: str, *, recursive: bool, partitioned: bool) -> Iterator[str]:
    """The inputs that a URL names, as `galaxy_edge.inputs.paths.expand` does for a path.

    Args:
        url: an object, a folder, or a pattern.
        recursive: include the folders below a folder.
        partitioned: a folder gives its Parquet files, at any depth.

    Raises:
        UsageError: it names nothing, or is an https:// URL of a folder.
    """
    file, dataset = split_dataset(url)
    suffix = "" if dataset is None else url.removeprefix(file)
    place = Url.parse(file)
    found: Iterator[str]
    if is_pattern(place.key):
        keys = _listed(place.root, literal_start(place.key))
        found = (key for key in keys if matches(key, place.key))
    elif not place.key.endswith("/") and (container_kind(url) or has_image_suffix(place.key)):
        found = iter([place.key])
    else:
        found = _below(place, recursive=recursive, partitioned=partitioned)
    is_empty = True
    for key in found:
        is_empty = False
        yield f"{place.root}/{key}{suffix}"
    if is_empty:
        raise UsageError(f"there is no input in {url}; check its name")


def size(url: str) -> int:
    """Bytes of an object.

    Raises:
        FileNotFoundError: it does not exist.
    """
    place = Url.parse(split_dataset(split_extension(url)[0])[0])
    return bucket(place.root).size(place.key)


def images(
    urls: Iterable[str], folder: Path, *, bands: Bands | None, layout: Layout
) -> Iterator[Source | None]:
    """The images of a part, as `galaxy_edge.inputs.paths.from_paths` gives those of paths.

    Args:
        urls: containers or images; a path without a scheme is a file.
        folder: where containers are copied to; it must stay until their images are decoded.
        bands: group the files of three bands.
        layout: how containers are read.
    """
    found: Iterable[str | tuple[str, str, str] | None]
    found = iter(urls) if bands is None else grouped(iter(urls), bands)
    singles: list[str | tuple[str, str, str]] = []
    for one in found:
        assert one is not None  # noqa: S101 - only a list on stdin pauses
        if layout.catalogue or (isinstance(one, str) and container_kind(one)):
            yield from bounded(_members(one, folder, bands, layout))
        else:
            singles.append(one)
    yield from bounded(_read(singles, layout))


def _members(
    one: str | tuple[str, str, str], folder: Path, bands: Bands | None, layout: Layout
) -> Iterator[Source]:
    """The images of a container, which is copied first; they have its URL."""
    if isinstance(one, tuple):
        red, green, blue = (copied(url, folder) for url in one)
        copy: str | tuple[str, str, str] = (red, green, blue)
        before, after = braced([red, green, blue]), braced(one)
    else:
        copy = before = copied(one, folder)
        after = one

    def renamed(text: str | None) -> str | None:
        return after + text[len(before) :] if text and text.startswith(before) else text

    for source in members(copy, layout, bands):
        yield replace(source, id=renamed(source.id), path=renamed(source.path))


def copied(url: str, folder: Path) -> str:
    """Copy an object; its extension or array stays part of the name."""
    if not is_url(url):
        return url
    file = split_dataset(split_extension(url)[0])[0]
    place = Url.parse(file)
    # Three files of one mosaic may have the same name, in three folders.
    path = folder / hashlib.sha256(file.encode()).hexdigest()[:12] / PurePosixPath(place.key).name
    if not path.exists():
        path.parent.mkdir()
        bucket(place.root).fetch(place.key, path)
    return f"{path}{url.removeprefix(file)}"


def _read(found: Iterable[str | tuple[str, str, str]], layout: Layout) -> Iterator[Source]:
    """Images, in order; some are read ahead at the same time."""
    kept = dict.fromkeys(layout.keep)
    waiting: deque[Future[Source]] = deque()

    def source(one: str | tuple[str, str, str]) -> Source:
        name = one if isinstance(one, str) else braced(one)
        try:
            if isinstance(one, str):
                return Source(_content(one), path=name, kept=kept)
            red, green, blue = map(_content, one)
            return Source((red, green, blue), path=name, kept=kept)
        except FileNotFoundError:
            fault = ImageError("missing: the file does not exist")
            return Source(fault, path=name, kept=kept)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        try:
            for one in found:
                waiting.append(pool.submit(source, one))
                if len(waiting) == _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _content(url: str) -> bytes | str:
    if not is_url(url):
        return url
    if split_extension(url)[1] is not None:
        raise UsageError(f"{url}: an extension of a file in a bucket cannot be named; copy it")
    place = Url.parse(url)
    return bucket(place.root).read(place.key)


def _listed(root: str, folder: str) -> Iterator[str]:
    if root.startswith("https:"):
        raise UsageError(f"{root}: https:// has no folders and no patterns; name one container")
    prefix = f"{folder}/" if folder and not folder.endswith("/") else folder
    yield from (key for key, _ in bucket(root).sizes(prefix))


def _below(place: Url, *, recursive: bool, partitioned: bool) -> Iterator[str]:
    """The inputs in a folder: see `galaxy_edge.inputs.listing`."""
    start = place.key.rstrip("/") + "/" if place.key.strip("/") else ""
    for key in _listed(place.root, start):
        parts = key.removeprefix(start).split("/")
        name = parts[-1]
        if partitioned:
            is_input = is_partition(name)
        else:
            is_input = has_input_suffix(name) and (recursive or len(parts) == 1)
            is_input = is_input and not any(one.startswith(".") for one in parts)
        if is_input:
            yield key
