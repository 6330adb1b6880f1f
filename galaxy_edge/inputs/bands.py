"""Group FITS files of one band each by their names: m51_i.fits, m51_r.fits, m51_g.fits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from galaxy_edge.inputs.formats import has_fits_suffix, split_extension

Bands = tuple[str, str, str]


def grouped(
    paths: Iterable[str | None], bands: Bands
) -> Iterator[str | tuple[str, str, str] | None]:
    """Group the band files among some paths: red, green and blue become one item.

    A FITS path is a band file if its name has one of the bands between characters that are neither
    letters nor digits (``frame-g-001.fits``; the last such place counts). The name of a folder
    (``g/001.fits``) counts too, if all three files exist. A group is yielded as soon as its three
    paths have come. Incomplete groups are yielded at the end, and reading them reports the missing
    file. All other paths, and None, are yielded unchanged.
    """
    waiting: dict[tuple[str, str, str], set[str]] = {}
    for path in paths:
        group = None if path is None else _group(path, bands)
        if path is None or group is None:
            yield path
            continue
        seen = waiting.setdefault(group, set())
        seen.add(path)
        # Forget a complete group, so that memory does not grow.
        if len(seen) == len(bands):
            del waiting[group]
            yield group
    yield from waiting


def braced(paths: Sequence[str]) -> str:
    """Join several paths to one name in the notation of a shell: ``m51_{i,r,g}.fits``."""
    # The common prefix of the text, which may end within a name.
    start = os.path.commonprefix(paths)  # noqa: RUF071
    rest = [path[len(start) :] for path in paths]
    end = os.path.commonprefix([path[::-1] for path in rest])[::-1]  # noqa: RUF071
    middles = ",".join(path.removesuffix(end) for path in rest)
    return f"{start}{{{middles}}}{end}"


def unbraced(path: str) -> tuple[str, str, str] | None:
    """The three paths that `braced` joined; None for any other path."""
    match = re.fullmatch(r"(.*)\{([^{},]*),([^{},]*),([^{},]*)\}(.*)", path, re.DOTALL)
    if match is None:
        return None
    start, red, green, blue, end = match.groups()
    return start + red + end, start + green + end, start + blue + end


def _group(path: str, bands: Bands) -> tuple[str, str, str] | None:
    if not has_fits_suffix(path):
        return None
    names = "|".join(map(re.escape, sorted(bands, key=len, reverse=True)))
    places = list(re.finditer(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])", path))
    if not places:
        return None
    start, end = places[-1].span()
    red, green, blue = (path[:start] + band + path[end:] for band in bands)
    in_a_folder = os.sep in path[end:]
    if in_a_folder and not all(map(_exists, (red, green, blue))):
        return None
    return red, green, blue


def _exists(path: str) -> bool:
    return os.path.exists(split_extension(path)[0])  # noqa: PTH110 - never raises
