"""Find single images of containers again, by the paths that their rows have."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.bands import Bands, unbraced
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.containers.opening import members
from galaxy_edge.inputs.formats import container_kind, split_dataset, split_extension
from galaxy_edge.inputs.source import Source


class Place(NamedTuple):
    """Where an image is: the container as `members` takes it, and what follows the # of a path."""

    container: str | tuple[str, str, str]
    member: str


def place_of(path: str, layout: Layout) -> Place | None:
    """The container that a path names, and the place in it; None for a path without one.

    Args:
        path: as a row has it, such as ``shard.tar#m51.jpg`` or ``cube.h5:images#12``. A file may
            have the sign # in its name too: the first part of the path that exists counts.
        layout: with a catalogue, every container is a mosaic.
    """
    marks = [number for number, sign in enumerate(path) if sign == "#"]
    for mark in marks:
        if (container := _container(path[:mark], layout)) is not None:
            return Place(container, path[mark + 1 :])
    if layout.catalogue is None:
        for mark in marks:
            if container_kind(path[:mark]) is not None:
                return Place(path[:mark], path[mark + 1 :])
    return None


def _container(name: str, layout: Layout) -> str | tuple[str, str, str] | None:
    """A container that exists, by the name that a path begins with."""
    if layout.catalogue is None:
        found = container_kind(name) is not None and os.path.exists(split_dataset(name)[0])  # noqa: PTH110
        return name if found else None
    if _is_file(name):
        return name
    bands = unbraced(name)
    return bands if bands is not None and all(map(_is_file, bands)) else None


def _is_file(path: str) -> bool:
    return os.path.isfile(split_extension(path)[0])  # noqa: PTH113 - never raises


def found_again(paths: Iterable[str], layout: Layout, bands: Bands | None) -> Iterator[Source]:
    """The images at some places, in the order of their containers; each container is read once.

    An image that cannot be found is a source whose content is the reason. So is one whose name an
    archive has twice, after the images: which of them is meant cannot be told.

    Args:
        paths: as their rows have them.
        layout: how the containers are read.
        bands: names of the bands for red, green and blue.
    """
    wanted: dict[str | tuple[str, str, str] | None, dict[str, str]] = {}
    for path in dict.fromkeys(paths):
        container, member = place_of(path, layout) or (None, "")
        wanted.setdefault(container, {})[path] = member
    for path in wanted.pop(None, {}):
        yield Source(ImageError("missing: the container does not exist"), path=path)
    for container, places in wanted.items():
        assert container is not None  # noqa: S101 - taken out above
        yield from _members(container, places, layout, bands)


def is_same_identifier(noted: str, found: str) -> bool:
    """Whether an identifier is the one that a row or a file of labels has noted.

    FITS has ASCII only, and CSV an apostrophe before what a spreadsheet would run.
    """
    return noted in (found, f"'{found}", found.encode("ascii", "backslashreplace").decode())


def _members(
    container: str | tuple[str, str, str],
    places: dict[str, str],
    layout: Layout,
    bands: Bands | None,
) -> Iterator[Source]:
    only = frozenset(int(one) if one.isdecimal() else one for one in places.values())
    # Only an archive may have a name twice, perhaps at its end.
    named = not all(isinstance(one, int) for one in only)
    left, twice = {*places}, set()
    fault = ""
    try:
        for source in members(container, layout, bands, only):
            path = str(source.path)
            if path in left:
                left.remove(path)
                yield source
            elif path in places:
                twice.add(path)
            elif isinstance(source.content, ImageError):
                fault = f" ({source.path}: {source.content})"
            if not left and not named:
                return
    # An option is missing, for example; images of other containers may need none.
    except UsageError as error:
        fault = f" ({error})"
    for path in (one for one in places if one in twice):
        reason = "its archive has this name more than once, so which image is meant is not known"
        yield Source(ImageError(reason), path=path)
    for path in (one for one in places if one in left):
        yield Source(ImageError(f"not found in the container{fault}"), path=path)
