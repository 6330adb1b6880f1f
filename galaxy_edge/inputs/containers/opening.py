"""Open a container of any kind: an iterator of sources, and a row for what cannot be read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from galaxy_edge.errors import ImageError, UsageError
from galaxy_edge.inputs.bands import Bands, braced
from galaxy_edge.inputs.containers.layout import Layout, Only
from galaxy_edge.inputs.formats import container_kind
from galaxy_edge.inputs.paths import sources
from galaxy_edge.inputs.source import Source, Stamp, Stamps

#: Path, layout, bands and wanted places -> sources.
Reader: TypeAlias = Callable[[Any, Layout, Bands | None, Only], Iterator[Source]]

#: Bytes.
_MOST_WAITING = 2**28

#: The extra that a kind of container needs, if it has another name. An archive may contain alerts.
_EXTRAS = {"mosaic": "fits", "archive": "alerts"}


def members(
    path: str | tuple[str, str, str],
    layout: Layout | None = None,
    bands: Bands | None = None,
    only: Only = None,
) -> Iterator[Source]:
    """The images of a container, in its order.

    Each has a path, ``CONTAINER#PLACE``, that no other image has: the place is the number of its
    row, counted from 0, or its name in the archive. A member that cannot be read is a source whose
    content is the reason. A fault that ends the reading is one source more: its path is that of
    the container, and its reason says how far reading got.

    Args:
        path: the container; or the three files of a mosaic, red, green and blue.
        layout: how it is read.
        bands: names of the bands for red, green and blue, of a mosaic that is a cube.
        only: the places to read; what lies between them is skipped where the format allows it.

    Raises:
        UsageError: an option is missing or wrong, or a package is not installed.
    """
    layout = layout or Layout()
    name = path if isinstance(path, str) else braced(path)
    kind = container_kind(name) if layout.catalogue is None else "mosaic"
    count = 0
    try:
        for source in _reader(str(kind))(path, layout, bands, only):
            yield source
            count += 1
    except (UsageError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(str(kind), str(kind))
        raise UsageError(
            f"{name} needs {error.name}, which is not installed: pip install 'galaxy-edge[{extra}]'"
        ) from error
    # The libraries raise nearly anything for damaged data.
    except Exception as error:  # noqa: BLE001
        far = f"after {count} images: " if count else ""
        fault = ImageError(far + reason(error))
        yield Source(fault, id=name, path=name, kept=dict.fromkeys(layout.keep))


def opened(
    path: str | os.PathLike[str] | tuple[str, str, str],
    layout: Layout,
    bands: Bands | None = None,
) -> Iterator[Source]:
    """The images of anything that has a path: see `galaxy_edge.inputs.open`."""
    if isinstance(path, tuple):
        yield from members(path, layout, bands)
        return
    for source in sources([os.fspath(path)], io.BytesIO(), bands=bands, layout=layout):
        if source is not None:
            yield source


def bounded(sources: Iterable[Source]) -> Iterator[Source | None]:
    """Add None after a number of bytes, so that no more than these are ever waiting to be decoded.

    Members are read ahead of the predictor, and each may be large.
    """
    waiting = 0
    for source in sources:
        yield source
        content = source.content
        waiting += len(content) if isinstance(content, bytes) else 0
        waiting += content.pixels.nbytes if isinstance(content, Stamp) else 0
        waiting += sum(map(len, content)) if isinstance(content, Stamps) else 0
        if waiting > _MOST_WAITING:
            waiting = 0
            yield None


def reason(error: Exception) -> str:
    """Why a container, or a part of it, cannot be read."""
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "missing: the file does not exist"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"not readable: {error.strerror}"
    return f"damaged or truncated: {' '.join(str(error).split()) or type(error).__name__}"


def _reader(kind: str) -> Reader:
    """The function that reads a kind of container; its module imports the extra."""
    if kind == "parquet":
        from galaxy_edge.inputs.containers.parquet import rows

        return rows
    if kind == "archive":
        from galaxy_edge.inputs.containers.archives import images

        return images
    if kind == "hdf5":
        from galaxy_edge.inputs.containers import hdf5

        return hdf5.images
    if kind == "zarr":
        from galaxy_edge.inputs.containers import zarr

        return zarr.images
    if kind == "alerts":
        from galaxy_edge.inputs.containers.alerts import packets

        return packets
    from galaxy_edge.inputs.containers.mosaic import stamps

    return stamps
