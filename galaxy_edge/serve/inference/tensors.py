"""Tensors of the protocol, as JSON or as Triton's binary data, to NumPy and back."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.serve.limits import RefusedError

#: Bytes of the length before each element of a binary BYTES tensor.
_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of an answer.

    Attributes:
        name: of the output.
        datatype: ``BYTES`` or ``FP32``.
        shape: the first number is the number of images.
        values: text, or numbers with None for those that a failed image does not have; flat, in C
            order.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any]

    def document(self) -> dict[str, Any]:
        """The tensor in JSON, without its data."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def binary(self) -> bytes:
        """The data, little-endian; NaN for what a failed image does not have."""
        if self.datatype == "FP32":
            numbers = [math.nan if one is None else one for one in self.values]
            return np.array(numbers, "<f4").tobytes()
        texts = [one.encode("utf-8", "backslashreplace") for one in self.values]
        return b"".join(struct.pack("<I", len(one)) + one for one in texts)


def shape_of(document: Any, name: str) -> tuple[int, ...]:
    """The shape that a tensor of a request says it has.

    Raises:
        RefusedError: it is not a list of whole numbers.
    """
    shape = document.get("shape")
    sides = shape if isinstance(shape, list) else [None]
    if len(sides) > 8 or not all(type(one) is int and 0 <= one < 2**31 for one in sides):
        raise RefusedError(400, f"the input {name} needs a shape, a list of whole numbers")
    return tuple(sides)


def pixels(data: Any, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    """The values of a UINT8 tensor.

    Args:
        data: bytes; or a list from JSON, flat or nested.
        shape: what it must have.
        name: of the tensor, for messages.

    Raises:
        RefusedError: the values are not of this type and shape.
    """
    try:
        if isinstance(data, bytes):
            return np.frombuffer(data, np.uint8).reshape(shape)
        numbers = np.array(data)
        if numbers.size and (
            numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() > 255
        ):
            raise ValueError("UINT8 values are whole numbers from 0 to 255")  # noqa: TRY301
        return numbers.astype(np.uint8).reshape(shape)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RefusedError(
            400, f"the data of the input {name} are not UINT8 {list(shape)}: {error}"
        ) from error


def elements(data: Any, count: int, name: str) -> list[bytes]:
    """The elements of a BYTES tensor.

    Args:
        data: bytes, each element after its length; or a list of base64 from JSON.
        count: number of elements.
        name: of the tensor, for messages.

    Raises:
        RefusedError: there are more or fewer elements, or one is cut off or not base64.
    """
    found = _split(data, name) if isinstance(data, bytes) else _decoded(data, name)
    if len(found) != count:
        raise RefusedError(
            400, f"the input {name} has {len(found)} elements, but its shape has {count}"
        )
    return found


def _split(data: bytes, name: str) -> list[bytes]:
    found = []
    place = 0
    while place < len(data):
        start = place + _LENGTH
        size = int.from_bytes(data[place:start], "little")
        if start + size > len(data):
            raise RefusedError(400, f"the binary data of the input {name} are cut off")
        found.append(data[start : start + size])
        place = start + size
    return found


def _decoded(data: Any, name: str) -> list[bytes]:
    # [["..."], ["..."]] is the same as ["...", "..."].
    rows = data if isinstance(data, list) else [data]
    flat = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in rows]
    try:
        return [base64.b64decode(one, validate=True) for one in flat]
    except (binascii.Error, ValueError, TypeError) as error:
        raise RefusedError(
            400, f"the data of the input {name} in JSON must be files in base64: {error}"
        ) from error
