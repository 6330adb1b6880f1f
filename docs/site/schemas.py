"""A page for every JSON Schema: its fields in a table, then the schema itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2] / "galaxy_edge"
SCHEMAS = {
    "row-schema": ("Schema of a row", PACKAGE / "outputs" / "row.schema.json"),
    "manifest-schema": ("Schema of a manifest", PACKAGE / "manifest.schema.json"),
}
USE = {
    "row-schema": (
        "The JSON Schema of one line of JSON Lines. [Rows](../docs/rows.md) explains the columns, "
        "and says where the schema is in an installation."
    ),
    "manifest-schema": (
        "The JSON Schema of what a model file says of itself. [Model file](../docs/model-file.md) "
        "explains the sections. `galaxy-edge info --check mine.onnx` validates a file, with the "
        "extra `schema`."
    ),
}


def pages() -> dict[str, str]:
    """Name of a page to its text."""
    found = {}
    for name, (title, path) in SCHEMAS.items():
        text = path.read_text("utf-8")
        schema = json.loads(text)
        rows = _rows(schema, schema.get("$defs", {}))
        table = "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])
        found[name] = (
            f"# {title}\n\n{USE[name]}\n\n{table}\n\n## JSON Schema\n\n```json\n{text}```\n"
        )
    return found


def _rows(schema: dict[str, Any], known: dict[str, Any], prefix: str = "") -> list[str]:
    """A row for each field and the fields inside it; ``known`` are the shared definitions."""
    rows = []
    fields = {**schema.get("properties", {}), **schema.get("patternProperties", {})}
    for name, field in fields.items():
        inner = field.get("items", field) if field.get("type") == "array" else field
        meaning = field.get("description", "").replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {_kind(field, known)} | {meaning} |")
        dots = "[]." if inner is not field else "."
        rows += _rows(inner, known, f"{prefix}{name}{dots}")
    return rows


def _kind(field: dict[str, Any], known: dict[str, Any]) -> str:
    if "$ref" in field:
        return _kind(known[field["$ref"].rpartition("/")[2]], known)
    if "anyOf" in field and "type" not in field:
        return " or ".join(_kind(choice, known) for choice in field["anyOf"])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in field["enum"])
    kinds = field["type"]
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    if "minimum" in field and "maximum" in field:
        text += f", {field['minimum']} to {field['maximum']}"
    elif "minimum" in field:
        text += f", at least {field['minimum']}"
    return text
