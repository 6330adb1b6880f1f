"""Band files that belong together: ``m51_{i,r,g}.fits`` for m51_i.fits, m51_r.fits, m51_g.fits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from galaxy_edge.formats import is_fits

Bands = tuple[str, str, str]


def grouped(
    paths: Iterable[str | None], bands: Bands
) -> Iterator[str | tuple[str, str, str] | None]:
    """Put the band files among some paths together, red, green and blue.

    A FITS path is a band file when one of the bands stands in it between characters that are
    neither letters nor digits (``frame-g-001.fits``, ``g/001.fits``; the last such place counts).
    Its set takes the place of the first of its files to come; that the other two are there is for
    whoever reads them to find out. All other paths, and None, pass as they are.
    """
    # Of a set of which all three have come, nothing need be kept.
    waiting: dict[tuple[str, str, str], set[str]] = {}
    for path in paths:
        group = None if path is None else _group(path, bands)
        if path is None or group is None:
            yield path
            continue
        if group not in waiting:
            yield group
        seen = waiting.setdefault(group, set())
        seen.add(path)
        if len(seen) == len(bands):
            del waiting[group]


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
    return red, green, blue
