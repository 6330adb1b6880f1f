"""Images stacked in one array, and columns in arrays beside it: what HDF5 and Zarr have in common.

``images`` is [N, H, W], [N, H, W, 3] or [N, 3, H, W]; `galaxy_edge.inputs.stamp` says how they
become RGB. [N, B, H, W] needs the names of the bands: in ``image_band`` beside ``image_array`` (the
Multimodal Universe), [N, B] or [B]. Identifiers are in ``ids``, unless another array is named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.containers.layout import Layout, Only, rows_within
from galaxy_edge.inputs.kept import identifier
from galaxy_edge.inputs.source import Source, Stamp

#: The array of identifiers, if it exists and the user names no other.
_IDS = "ids"
#: Endings of the name of an array of images beside that of its bands.
_ARRAYS, _BANDS = ("_array", "_flux"), "_band"
#: Bytes that are read at once, if the chunks of the file are not larger; and the largest chunks
#: that are read whole. Of larger ones, every image unpacks the chunk again.
_BLOCK, _LARGEST = 2**22, 2**28

#: Axes of this length are colours: no image is so narrow.
_NARROW = 4

#: A group of HDF5 or Zarr, or the arrays of one by their names.
Group = Mapping[str, Any]


def images(
    path: str, root: Group, dataset: str | None, layout: Layout, only: Only = None
) -> Iterator[Source]:
    """The images of an array, a few at a time.

    Args:
        path: the file, as the user wrote it.
        root: its content.
        dataset: the array, with the groups before it; None to take the only one with images.
        layout: the arrays with identifiers and other columns.
        only: the rows to read.

    Raises:
        ImageError: there is no such array, or its shape or that of a column is wrong.
    """
    group, name = _found(root, dataset)
    array = group[name]
    count = array.shape[0] if array.shape else 0
    _check(array, named=(bands := _bands(group, name, count)) is not None)
    columns = {column: _column(group, column, count) for column in layout.columns}
    ids = layout.id_column or (_IDS if _IDS in group else None)
    if ids is not None:
        columns[ids] = _column(group, ids, count)
    if dataset is None:
        path = f"{path}:{name}"
    step = _step(array)
    for start in range(0, count, step):
        if not (wanted := rows_within(only, start, min(start + step, count))):
            continue
        block = _block(array, start, min(start + step, count))
        rows = {column: values[start : start + step] for column, values in columns.items()}
        for place in (number - start for number in wanted):
            row = {column: values[place] for column, values in rows.items()}
            key, content = None, (pixels := block[place])
            try:
                if ids is not None:
                    key = identifier(row[ids])
                if not isinstance(pixels, ImageError):
                    content = Stamp(pixels, () if bands is None else _texts(bands, start + place))
            except ImageError as error:
                content = error
            kept = {column: row[column] for column in layout.keep}
            yield Source(content, key, f"{path}#{start + place}", kept)


def _found(root: Group, dataset: str | None) -> tuple[Group, str]:
    """The group of the array, and its name in it."""
    group: Any = root
    parts = [part for part in (dataset or "").split("/") if part]
    while parts and not _is_array(group):
        if parts[0] not in group:
            raise ImageError(f"there is no array {dataset}; it has {', '.join(_arrays(group))}")
        if _is_array(group[parts[0]]) and len(parts) == 1:
            return group, parts[0]
        group = group[parts.pop(0)]
    if _is_array(group):
        raise ImageError(f"there is no array {dataset}: a part of this name is not a group")
    stacks = [name for name in _arrays(group) if len(group[name].shape) > 2]
    if len(stacks) != 1:
        groups = [f"{name}/" for name in group if not _is_array(group[name])]
        has = ", ".join(stacks or _arrays(group) or groups) or "no arrays"
        raise ImageError(
            "name the array with the images after a colon, such as "
            f"cube.h5:{stacks[0] if stacks else 'images'}; it has {has}"
        )
    return group, stacks[0]


def _is_array(one: Any) -> bool:
    return hasattr(one, "shape")


def _arrays(group: Group) -> list[str]:
    return [name for name in group if _is_array(group[name])]


def _check(array: Any, *, named: bool) -> None:
    shape = array.shape
    # HDF5 would give the pixels of a missing part the fill value.
    parts = array.virtual_sources() if getattr(array, "is_virtual", False) else ()
    for name in dict.fromkeys(part.file_name for part in parts):
        # A dot is the file itself, and a percent sign begins a number.
        if "%" not in name and not (Path(array.file.filename).parent / name).exists():
            raise ImageError(f"a part of the array is missing: there is no file {name}")
    if len(shape) not in (3, 4) or 0 in shape[1:]:
        raise ImageError(
            f"not images: the shape of the array is {' x '.join(map(str, shape)) or 'empty'}; it "
            "must be N x H x W, N x H x W x 3 or N x 3 x H x W"
        )
    if len(shape) == 3 and shape[2] <= _NARROW < shape[1]:
        raise ImageError(
            f"not images: the shape of the array is {' x '.join(map(str, shape))}, as of a single "
            "image with colours; images of N x H x W x 3 have four axes"
        )
    if len(shape) == 4 and not named and 3 not in (shape[1], shape[3]) and 1 not in shape[1::2]:
        raise ImageError(
            f"not images of one or three bands: the shape of the array is {shape}; more bands need "
            "their names, in an array such as image_band beside image_array"
        )


def _column(group: Group, name: str, count: int) -> Any:
    if name not in group or not _is_array(group[name]):
        raise ImageError(f"there is no array {name}; it has {', '.join(_arrays(group))}")
    column = group[name]
    if not column.shape or column.shape[0] != count:
        raise ImageError(
            f"the array {name} has the shape {column.shape}, but there are {count} images"
        )
    return column


def _bands(group: Group, name: str, count: int) -> Any | None:
    for ending in _ARRAYS:
        other = name.removesuffix(ending) + _BANDS
        if name.endswith(ending) and other in group:
            # One list for all images, or one for each.
            names = group[other]
            planes = 1 if len(group[name].shape) == 3 else group[name].shape[1]
            if names.shape == (count, planes) or (planes == 1 and names.shape == (count,)):
                return names
            # One list for all images.
            if names.shape == (planes,):
                return np.broadcast_to(names[:], (count, planes))
            raise ImageError(
                f"the array {other} has the shape {names.shape}, but there are {count} images of "
                f"{planes} bands"
            )
    return None


def _texts(bands: Any, place: int) -> tuple[str, ...]:
    return tuple(str(identifier(one)) for one in np.atleast_1d(bands[place]))


def _step(array: Any) -> int:
    """How many images to read at once: whole chunks, since each is unpacked as a whole."""
    image = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    step = max(1, _BLOCK // image)
    chunk = int((array.chunks or (1,))[0])
    if chunk > step and chunk * image <= _LARGEST:
        return chunk
    return int(step if chunk > step else step - step % chunk)


def _block(array: Any, start: int, end: int) -> list[Any]:
    """The pixels of some images; an error for each that cannot be read."""
    try:
        return list(array[start:end])
    except MemoryError:
        raise
    # The libraries raise nearly anything for damaged chunks and for filters that are missing.
    except Exception as error:  # noqa: BLE001
        if end - start == 1:
            return [ImageError(f"damaged or truncated: {' '.join(str(error).split())}")]
        return [one for place in range(start, end) for one in _block(array, place, place + 1)]
