"""Validate the manifest of a model file: every fault of it, and where."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from typing import Any

from galaxy_edge.engine.session import Session, metadata
from galaxy_edge.errors import ModelError
from galaxy_edge.manifest import PREFIX, SCHEMA, Manifest

_NO_JSON = "it is not JSON"


def faults(sections: Mapping[str, str]) -> list[str]:
    """Every way in which a manifest breaks ``manifest.schema.json``, a sentence each.

    Needs the extra ``schema``.

    Args:
        sections: the ONNX metadata; keys of others are ignored.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - in an extra

    document: dict[str, Any] = {}
    found = []
    for key, text in sections.items():
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX)
            try:
                document[name] = json.loads(text)
            except (ValueError, RecursionError):
                found.append(f"{name}: {_NO_JSON}")
    if found:
        return found
    problems = Draft202012Validator(schema()).iter_errors(document)
    return [_sentence(problem) for problem in sorted(problems, key=lambda one: one.json_path)]


def schema() -> dict[str, Any]:
    """The JSON Schema of a manifest."""
    content = pkgutil.get_data("galaxy_edge", "manifest.schema.json")
    assert content is not None  # noqa: S101 - every loader of a package can read its files
    found: dict[str, Any] = json.loads(content)
    return found


def check(model: bytes) -> Manifest:
    """Validate a model file: its manifest against the schema, then all that the runtime obeys.

    Args:
        model: the content of an .onnx file.

    Raises:
        ModelError: it is not a model, or its manifest, or its tensors, are not as specified; the
            message lists every fault of the manifest.
    """
    sections = metadata(model)
    # Without a manifest, or with a newer one, the runtime says what to do.
    known = sections.get(PREFIX + "schema") in {str(number) for number in range(1, SCHEMA + 1)}
    if known and (found := faults(sections)):
        lines = "\n".join(f"  - {fault}" for fault in found)
        raise ModelError(f"the manifest is not as specified:\n{lines}")
    # What a schema cannot say: numbers that must agree, and the tensors.
    return Session(model, device="cpu").manifest


def _sentence(problem: Any) -> str:
    """The place of a fault and what it is; an image in base64 would fill the screen."""
    message = str(problem.message)
    short = message if len(message) <= 200 else f"{message[:80]} ... {message[-100:]}"
    return f"{problem.json_path.removeprefix('$').lstrip('.') or 'the manifest'}: {short}"
