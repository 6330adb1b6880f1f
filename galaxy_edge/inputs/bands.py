"""Band files that belong together: ``m51_{i,r,g}.fits`` for m51_i.fits, m51_r.fits, m51_g.fits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from galaxy_edge.inputs.formats import is_fits, split_extension

Bands = tuple[str, str, str]


def grouped(
    paths: Iterable[str | None], bands: Bands
) -> Iterator[str | tuple[str, str, str] | None]:
    """Put the band files among some paths together, red, green and blue.

    A FITS path is a band file when one of the bands stands in its name between characters that are
    neither letters nor digits (``frame-g-001.fits``; the last such place counts), or in a folder's
    (``g/001.fits``), if the other two are there. A set comes when its three files have; those that
    lack one come at the end, for whoever reads them to say so. All other paths, and None, pass as
    they are.
    """
    waiting: dict[tuple[str, str, str], set[str]] = {}
    for path in paths:
        group = None if path is None else _group(path, bands)
        if path is None or group is None:
            yield path
            continue
        seen = waiting.setdefault(group, set())
        seen.add(path)
        # Of a set of which all three have come, nothing need be kept.
        if len(seen) == len(bands):
            del waiting[group]
            yield group
    yield from waiting


def braced(paths: Sequence[str]) -> str:
    """One name for some paths, as a shell would take it apart: ``m51_{i,r,g}.fits``."""
    # The longest common beginning of the text is meant, wherever it ends.
    start = os.path.commonprefix(paths)  # noqa: RUF071
    rest = [path[len(start) :] for path in paths]
    end = os.path.commonprefix([path[::-1] for path in rest])[::-1]  # noqa: RUF071
    middles = ",".join(path.removesuffix(end) for path in rest)
    return f"{start}{{{middles}}}{end}"


def _group(path: str, bands: Bands) -> tuple[str, str, str] | None:
    if not is_fits(path):
        return None
    names = "|".join(map(re.escape, sorted(bands, key=len, reverse=True)))
    places = list(re.finditer(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])", path))
    if not places:
        return None
    start, end = places[-1].span()
    red, green, blue = (path[:start] + band + path[end:] for band in bands)
    in_a_folder = os.sep in path[end:]
    if in_a_folder and not all(map(_is_there, (red, green, blue))):
        return None
    return red, green, blue


def _is_there(path: str) -> bool:
    return os.path.exists(split_extension(path)[0])  # noqa: PTH110 - never raises
