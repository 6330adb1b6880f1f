"""Files that belong to an image in an archive: ``m51.json`` beside ``m51.jpg``.

WebDataset calls the members of one image a sample and keeps them together, in any order. A sidecar
file belongs to the image of the same name, or to all images of its sample: ``m51.json`` to
``m51.image.png``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.formats import has_image_suffix, has_input_suffix

#: Suffixes of sidecar files.
SUFFIXES = (".json", ".cls", ".txt")
#: Images and sidecar files of one sample that are held in memory. More belong together only by
#: the start of their names: ``sdss.1.png``, ``sdss.2.png``.
_HELD = 16

#: Name, and content or why it cannot be read.
Member: TypeAlias = tuple[str, bytes | ImageError]


def stem(name: str) -> str:
    """The name of an image without its suffix: ``a/m51.fits.gz`` -> ``a/m51``."""
    path = PurePosixPath(name)
    if not has_image_suffix(path.stem):
        return str(path.with_suffix(""))
    return str(path.with_suffix("").with_suffix(""))


def paired(members: Iterable[Member]) -> Iterator[tuple[Member, list[Member]]]:
    """Each image of an archive with its sidecar files.

    A name that comes again begins another sample.

    Args:
        members: images and sidecar files, those of a sample together.
    """
    images: deque[Member] = deque()
    found: dict[str, Member] = {}
    names: deque[str] = deque(maxlen=_HELD * (1 + len(SUFFIXES)))
    current = None
    for name, content in members:
        if (sample := _sample(name)) != current or place(name) in names:
            yield from _released(images, found, keep=0)
            found.clear()
            names.clear()
            current = sample
        names.append(place(name))
        if has_input_suffix(name):
            images.append((name, content))
            yield from _released(images, found, keep=_HELD)
            continue
        found[place(name)] = (name, content)
        if len(found) > _HELD * len(SUFFIXES):
            del found[next(iter(found))]
    yield from _released(images, found, keep=0)


def place(name: str) -> str:
    """The name of a sidecar file by which its images find it."""
    path = PurePosixPath(name)
    return f"{path.with_suffix('')}{path.suffix.lower()}"


def places(image: str) -> list[str]:
    """The names of the sidecar files that an image may have, those of its sample first."""
    keys = (_sample(image), stem(image))
    return [f"{key}{suffix}" for key in dict.fromkeys(keys) for suffix in SUFFIXES]


def columns(sidecars: Iterable[Member]) -> dict[str, Any]:
    """The columns in the sidecar files of an image.

    Raises:
        ImageError: one cannot be read.
    """
    found: dict[str, Any] = {}
    for name, content in sidecars:
        found |= _parsed(PurePosixPath(name), content)
    return found


def _released(
    images: deque[Member], found: dict[str, Member], *, keep: int
) -> Iterator[tuple[Member, list[Member]]]:
    while len(images) > keep:
        name, content = images.popleft()
        yield (name, content), [found[one] for one in places(name) if one in found]


def _sample(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(path.name.partition(".")[0] or path.name))


def _parsed(path: PurePosixPath, content: bytes | ImageError) -> dict[str, Any]:
    if isinstance(content, ImageError):
        raise ImageError(f"its {path.name} cannot be read: {content}")
    suffix = path.suffix.lower()
    try:
        if suffix != ".json":
            return {suffix[1:]: content.decode("utf-8").strip()}
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"its {path.name} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise ImageError(f"its {path.name} holds no names with values")
    return document
