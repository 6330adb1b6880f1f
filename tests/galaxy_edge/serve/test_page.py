"""The page is one file that may load nothing and run nothing else; tests/browser looks at it."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from tests.galaxy_edge.serve.servers import Server

TEXT = (resources.files("galaxy_edge.serve") / "page.html").read_text(encoding="utf-8")


def policy(server: Server) -> dict[str, list[str]]:
    header = server.ask("GET", "/").headers["content-security-policy"]
    return {name: values for name, *values in (one.split() for one in header.split("; "))}


def test_the_policy_allows_exactly_the_script_and_the_style(server: Server):
    allowed = policy(server)
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert allowed[f"{tag}-src"] == [f"'sha256-{digest}'"]
    assert allowed["default-src"] == allowed["frame-ancestors"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'"]


def test_the_page_comes_as_it_is(server: Server):
    reply = server.ask("GET", "/")
    assert reply.status == 200
    assert reply.body.decode() == TEXT
    assert reply.headers["content-type"] == "text/html; charset=utf-8"


def test_the_page_names_no_other_address():
    names = set(re.findall(r"https?://[^/'\"\s]+", TEXT))
    # The name of SVG, which nothing fetches.
    assert names == {"http://www.w3.org"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", TEXT)
