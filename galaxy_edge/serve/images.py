"""The images of a request to ``/v1/predict``: one body, several parts, or lines of JSON.

Only bytes are taken. A path or an address in a request is an identifier, and nothing is read or
fetched for it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any, Literal, TypeAlias

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.source import Source
from galaxy_edge.serve.bodies import Body
from galaxy_edge.serve.limits import RefusedError

#: How the images came, which is how their rows go back.
Form: TypeAlias = Literal["image", "parts", "lines"]

#: The types of JSON Lines; a single object is a line too.
_LINES = ("application/x-ndjson", "application/jsonl", "application/json")
#: Bytes that take so long to parse that other requests would notice.
_LARGE = 2**16
#: Commas and brackets of a line. Each can become a Python object, so they bound its memory.
_MOST_MARKS = 1000


async def images(request: Request, body: Body, most: int) -> tuple[Form, list[Source]]:
    """Read the images of a request.

    Args:
        request: its headers say how the images come.
        body: its body.
        most: number of images that a request may have.

    Returns:
        How they came, and the images. One that cannot be decoded from JSON is an error in its
        place.

    Raises:
        RefusedError: the body cannot be taken, has no image or too many.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form: Form
    if kind == "multipart/form-data":
        form, sources = "parts", await _parts(request, body, most)
    elif kind in _LINES:
        content = (await body.read()).rstrip()
        form = "lines"
        if content.count(b"\n") >= most:
            raise _too_many(most)
        if len(content) > _LARGE:
            sources = await asyncio.to_thread(_lines, content)
        else:
            sources = _lines(content)
    else:
        identifier = request.query_params.get("id")
        return "image", [Source(await body.read(), id=identifier)]
    if not sources:
        raise RefusedError(400, "the request has no image")
    if len(sources) > most:
        raise _too_many(most)
    return form, sources


class _InMemory(MultiPartParser):
    """Keeps files in memory, where the limits count them, and not in temporary files."""

    spool_max_size = 2**62


async def _parts(request: Request, body: Body, most: int) -> list[Source]:
    parser = _InMemory(request.headers, body.chunks(), max_files=most + 1, max_fields=0)
    try:
        form = await parser.parse()
    except (RefusedError, ClientDisconnect):
        raise
    except MultiPartException as error:
        reason = error.message
        if reason.startswith("Too many files"):
            raise _too_many(most) from error
        if reason.startswith("Too many fields"):
            reason = "each part must be a file with a name, as in curl -F image=@m51.png"
        raise RefusedError(400, f"the parts cannot be read: {reason}", close=True) from error
    # Wrong character sets and boundaries raise nearly anything.
    except Exception as error:
        raise RefusedError(400, f"the parts cannot be read: {error}", close=True) from error
    try:
        return [
            Source(await part.read(), id=part.filename or None)
            for _, part in form.multi_items()
            if isinstance(part, UploadFile)
        ]
    finally:
        await form.close()


def _lines(content: bytes) -> list[Source]:
    return [_line(line) for line in content.split(b"\n") if line.strip()]


def _line(line: bytes) -> Source:
    try:
        document = _object(line)
    except ImageError as error:
        return Source(error)
    identifier = document.get("id")
    if not isinstance(identifier, str | int | None) or isinstance(identifier, bool):
        return Source(ImageError("not an image: its id must be text or a whole number"))
    name = None if identifier is None else str(identifier)
    if unknown := sorted(document.keys() - {"id", "image"}):
        return Source(
            ImageError(f"not an image: {unknown[0]!r} is unknown; a line has id and image"), id=name
        )
    image = document.get("image")
    if not isinstance(image, str):
        return Source(ImageError("not an image: a line needs image, a file in base64"), id=name)
    try:
        return Source(base64.b64decode(image, validate=True), id=name)
    except (binascii.Error, ValueError) as error:
        return Source(ImageError(f"not an image: not base64: {error}"), id=name)


def _object(line: bytes) -> dict[str, Any]:
    if sum(map(line.count, (b",", b"[", b"{"))) > _MOST_MARKS:
        raise ImageError("not an image: the line has more than id and image")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"not an image: the line is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ImageError("not an image: a line must be an object with id and image")
    return document


def _too_many(most: int) -> RefusedError:
    return RefusedError(
        413, f"a request may have at most {most:,} images; send several requests", close=True
    )
