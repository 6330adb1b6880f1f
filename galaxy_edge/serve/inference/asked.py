"""What a request to infer asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from galaxy_edge.inputs.source import Source
from galaxy_edge.serve.inference.tensors import elements, pixels, shape_of
from galaxy_edge.serve.limits import RefusedError

#: The inputs: pixels, as the model file takes them, but of any size; or image files.
PIXELS, FILES = "image", "encoded"
#: Commas and brackets in the JSON. Each can become a Python object, so they bound its memory.
_MOST_MARKS = 4_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to infer.

    Attributes:
        id: what the client calls the request, if anything.
        sources: the images.
        outputs: name of each tensor of the answer, and whether its data are binary.
    """

    id: str | None
    sources: list[Source]
    outputs: dict[str, bool]


def asked(body: bytes, header: str | None, outputs: Collection[str], most: int) -> Asked:
    """Read a request to infer.

    Args:
        body: JSON, perhaps followed by binary data.
        header: value of ``Inference-Header-Content-Length``, the bytes of the JSON if binary data
            follow it.
        outputs: names of the outputs that exist.
        most: number of images that a request may have.

    Raises:
        RefusedError: the request cannot be understood, or has too many images.
    """
    document, binary = _parts(body, header)
    tensor, data = _only_input(document, binary)
    name, datatype = tensor.get("name"), tensor.get("datatype")
    expected = {PIXELS: "UINT8", FILES: "BYTES"}
    if not isinstance(name, str) or expected.get(name) != datatype:
        raise RefusedError(
            400,
            f"the input must be {PIXELS}, UINT8 [N, H, W, 3], or {FILES}, BYTES [N], not "
            f"{str(name)[:60]}, {str(datatype)[:60]}",
        )
    shape = shape_of(tensor, name)
    count = shape[0] if shape else 0
    if count > most:
        raise RefusedError(
            413, f"a request may have at most {most:,} images; send several requests"
        )
    if name == FILES:
        if shape not in {(count,), (count, 1)}:
            raise RefusedError(400, f"the shape of {FILES} must be [N] or [N, 1]")
        sources = [Source(one) for one in elements(data, count, name)]
    else:
        if len(shape) != 4 or shape[3] not in (1, 3) or math.prod(shape[1:]) == 0:
            raise RefusedError(400, f"the shape of {PIXELS} must be [N, H, W, 3] or [N, H, W, 1]")
        images = pixels(data, shape, name)
        sources = [Source(one[..., 0] if shape[3] == 1 else one) for one in images]
    identifier = document.get("id")
    return Asked(
        None if identifier is None else str(identifier), sources, _outputs(document, outputs)
    )


def _parts(body: bytes, header: str | None) -> tuple[dict[str, Any], bytes]:
    size = len(body)
    if header is not None:
        size = int(header[:20]) if header.isascii() and header.isdecimal() else -1
        if not 0 <= size <= len(body):
            raise RefusedError(
                400, "Inference-Header-Content-Length must be the bytes of the JSON in the body"
            )
    head = body[:size]
    if sum(map(head.count, (b",", b"[", b"{"))) > _MOST_MARKS:
        raise RefusedError(413, "too many numbers in the JSON; send them as binary data")
    try:
        document = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the request is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RefusedError(400, "the request must be a JSON object with inputs")
    return document, body[size:]


def _only_input(document: dict[str, Any], binary: bytes) -> tuple[dict[str, Any], Any]:
    """The one tensor of a request, and its data."""
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RefusedError(400, f"inputs must be a list of one tensor, {PIXELS} or {FILES}")
    (tensor,) = inputs
    parameters = _parameters(tensor)
    if any(name.startswith("shared_memory") for name in parameters):
        raise RefusedError(400, "this server reads no shared memory; send the data")
    size = parameters.get("binary_data_size")
    if size is not None:
        if size != len(binary) or isinstance(size, bool):
            raise RefusedError(
                400, f"binary_data_size is not {len(binary)}, the bytes after the JSON"
            )
        return tensor, binary
    if binary:
        raise RefusedError(400, "binary data follow the JSON, but no input has binary_data_size")
    return tensor, tensor.get("data")


def _outputs(document: dict[str, Any], known: Collection[str]) -> dict[str, bool]:
    """The requested outputs, or all of them."""
    binary = _parameters(document).get("binary_data_output") is True
    requested = document.get("outputs")
    if not requested:
        return dict.fromkeys(known, binary)
    if not isinstance(requested, list) or not all(isinstance(one, dict) for one in requested):
        raise RefusedError(400, "outputs must be a list of objects with a name")
    found: dict[str, bool] = {}
    for one in requested:
        name = one.get("name")
        if not isinstance(name, str) or name not in known:
            raise RefusedError(
                400, f"there is no output {str(name)[:60]}; there are {', '.join(known)}"
            )
        parameters = _parameters(one)
        if parameters.keys() & {"classification", "shared_memory_region"}:
            raise RefusedError(400, "outputs here have neither a classification nor shared memory")
        found[name] = bool(parameters.get("binary_data", binary))
    return found


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RefusedError(400, "parameters must be an object")
    return parameters
