"""Answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in ASCII, because identifiers of clients may hold what UTF-8 cannot."""
    return Response(json.dumps(content), status, headers, media_type="application/json")
