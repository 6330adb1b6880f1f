"""The page at ``/``: one file, which may load nothing from elsewhere and run nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from starlette.responses import HTMLResponse


class Page:
    """The page and its policy, which allows exactly the script and the style in it.

    Args:
        needs_token: whether it must ask for a token before anything else.
    """

    def __init__(self, *, needs_token: bool) -> None:
        text = (resources.files(__package__) / "page.html").read_text(encoding="utf-8")
        if needs_token:
            text = text.replace('data-token="no"', 'data-token="yes"', 1)
        self._text = text
        script, style = (
            " ".join(map(_digest, re.findall(rf"<{tag}>(.*?)</{tag}>", self._text, re.DOTALL)))
            for tag in ("script", "style")
        )
        self._headers = {
            "Content-Security-Policy": "; ".join(
                (
                    "default-src 'none'",
                    f"script-src {script}",
                    f"style-src {style}",
                    # Thumbnails of the user's files, and the icon.
                    "img-src blob: data:",
                    "connect-src 'self'",
                    "base-uri 'none'",
                    "form-action 'none'",
                    "frame-ancestors 'none'",
                    "require-trusted-types-for 'script'",
                )
            ),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }

    def response(self) -> HTMLResponse:
        """The page with its policy."""
        return HTMLResponse(self._text, headers=self._headers)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
