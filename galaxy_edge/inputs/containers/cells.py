"""What the cells of a Parquet column hold: bytes of image files, arrays, or named bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.source import Content, Stamp

#: The content of a row; raises ImageError for a row without any.
Contents: TypeAlias = Callable[[int], Content]

#: Fields of a structure with the pixels of one or more bands, and with the names of the bands.
_PIXELS = ("array", "flux", "image")
_NAMES = ("band", "bands", "filter")


def fields(name: str, kind: Any) -> list[str]:
    """The columns to read for an image: of a structure, only the fields that are used."""
    if not types.is_struct(kind):
        return [name]
    known = {field.name for field in kind}
    used = [field for field in ("bytes", *_PIXELS, *_NAMES) if field in known]
    return [f"{name}.{field}" for field in used] or [name]


def contents(column: Any) -> Contents:
    """How the rows of a column become contents.

    Raises:
        ImageError: the column holds something else.
    """
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.FixedShapeTensorArray):
        kind, storage = column.type, column.storage
        return lambda place: Stamp(_tensor(kind, _present(storage[place]).values))
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if types.is_struct(kind):
        return _of_structures(column)
    if _is_list(kind):
        if types.is_struct(kind.value_type):
            return lambda place: _named(*_bands(_present(column[place]).values))
        return lambda place: Stamp(_array(column[place]))
    if _is_bytes(kind):
        return lambda place: bytes(_present(column[place]).as_py())
    raise ImageError(
        f"its column of images holds {kind}; it must hold the bytes of image files, structures "
        "with a field bytes, or arrays"
    )


def _of_structures(column: Any) -> Contents:
    known = [field.name for field in column.type]
    parts = dict(zip(known, column.flatten(), strict=True))
    if "bytes" in parts:
        return contents(parts["bytes"])
    pixels = next((parts[name] for name in _PIXELS if name in parts), None)
    if pixels is None:
        raise ImageError(
            f"its structures have neither bytes nor {', '.join(_PIXELS)}; they have "
            f"{', '.join(known)}"
        )
    names = next((parts[name] for name in _NAMES if name in parts), None)
    if names is None:
        return contents(pixels)
    return lambda place: _named(_array(pixels[place]), _present(names[place]).as_py())


def _bands(structures: Any) -> tuple[npt.NDArray[Any], Sequence[str]]:
    """The pixels and names in a list of structures, one for each band."""
    parts = dict(zip([field.name for field in structures.type], structures.flatten(), strict=True))
    pixels = next((parts[name] for name in _PIXELS if name in parts), None)
    names = next((parts[name] for name in _NAMES if name in parts), None)
    if pixels is None or names is None:
        raise ImageError(f"its structures need the fields band and array; they have {[*parts]}")
    if pixels.null_count:
        raise ImageError("empty: one of its bands has no pixels")
    return _nested(pixels), names.to_pylist()


def _named(pixels: npt.NDArray[Any], names: Any) -> Stamp:
    names = (names,) if isinstance(names, str) else tuple(map(str, names))
    if pixels.ndim == 2:
        pixels = pixels[None]
    return Stamp(pixels, names)


def _present(cell: Any) -> Any:
    if not cell.is_valid:
        raise ImageError("empty: this row has no image")
    return cell


def _tensor(kind: Any, values: Any) -> npt.NDArray[Any]:
    """The pixels of a fixed-shape tensor, its axes in their logical order.

    pyarrow writes the inverse of the permutation that Arrow specifies, and reads neither. The
    colours tell which is meant: no image has them in the middle.
    """
    pixels = np.asarray(values.to_numpy(zero_copy_only=False)).reshape(kind.shape)
    given = tuple(kind.permutation or range(pixels.ndim))
    found = [
        pixels.transpose(axes) for axes in dict.fromkeys((given, tuple(np.argsort(given).tolist())))
    ]
    if len(found) == 1:
        return found[0]
    likely = [one for one in found if {one.shape[0], one.shape[-1]} & {1, 3}]
    if len(likely) != 1:
        raise ImageError(
            f"not an image: a tensor of the shape {kind.shape} with the permutation {list(given)}, "
            "which has two meanings; write tensors without a permutation"
        )
    return likely[0]


def _array(cell: Any) -> npt.NDArray[Any]:
    return _nested(_present(cell).values)


def _nested(values: Any) -> npt.NDArray[Any]:
    """Nested lists as an array: [N] of lists of M numbers -> [N, M], and so on."""
    shape = [len(values)]
    while _is_list(values.type):
        if values.null_count or len(pc.unique(pc.list_value_length(values))) > 1:
            raise ImageError("not an image: its rows of pixels differ in length")
        length = len(values)
        values = values.flatten()
        shape.append(len(values) // length if length else 0)
    if len(shape) == 1:
        raise ImageError(
            f"a plain list of {shape[0]} numbers has no height and width; write nested lists or a "
            "fixed-shape tensor"
        )
    if not (types.is_integer(values.type) or types.is_floating(values.type)):
        raise ImageError(f"not an image: its pixels are {values.type}, not numbers")
    if values.null_count and types.is_uint8(values.type):
        # They would become NaN, and the picture be stretched like FITS.
        raise ImageError("not an image: a pixel of the picture is empty")
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(shape)


def _is_bytes(kind: Any) -> bool:
    # Polars and newer pyarrow write views.
    kinds = ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view")
    return any(getattr(types, one)(kind) for one in kinds if hasattr(types, one))


def _is_list(kind: Any) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
