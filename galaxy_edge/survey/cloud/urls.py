"""URLs of objects, and patterns of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from galaxy_edge.errors import UsageError

_SCHEMES = ("s3", "gs", "az", "https")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_MAGIC = re.compile(r"[*?\[]")


def is_url(path: str) -> bool:
    """Whether a path is a URL."""
    return _URL.match(path) is not None


@dataclass(frozen=True, slots=True)
class Url:
    """The place of an object.

    Attributes:
        root: scheme and bucket, container or host: ``s3://bucket``.
        key: the rest, without a slash at its start.
    """

    root: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Url:
        """Split a URL.

        Raises:
            UsageError: it is of another kind, or has a password or a signature.
        """
        scheme = text.partition("://")[0].lower()
        if scheme not in _SCHEMES:
            known = ", ".join(f"{one}://" for one in _SCHEMES)
            raise UsageError(f"{scheme}:// is not supported; use {known}, or a path")
        root, _, key = text[len(scheme) + 3 :].partition("/")
        if not root:
            raise UsageError(f"{text} names no bucket, such as {scheme}://bucket/folder")
        # They would be part of every row. The text itself is not repeated: it may be secret.
        if "@" in root or (scheme == "https" and urlsplit(text).query):
            raise UsageError(
                f"a {scheme}:// URL must not contain a user, a password or a signature; set the "
                "credentials in the environment"
            )
        return cls(f"{scheme}://{root}", key)

    def __str__(self) -> str:
        return f"{self.root}/{self.key}"


def is_pattern(key: str) -> bool:
    """Whether a key has wildcards."""
    return _MAGIC.search(key) is not None


def literal_start(key: str) -> str:
    """The folders of a pattern before its first wildcard."""
    match = _MAGIC.search(key)
    return key if match is None else key[: match.start()].rpartition("/")[0]


def matches(key: str, pattern: str) -> bool:
    """Whether a key matches a pattern, in which ``**`` stands for folders of any depth."""
    return _match(key.split("/"), pattern.split("/"))


def _match(names: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not names
    if patterns[0] == "**":
        return any(_match(names[skip:], patterns[1:]) for skip in range(len(names)))
    return bool(names) and fnmatchcase(names[0], patterns[0]) and _match(names[1:], patterns[1:])
