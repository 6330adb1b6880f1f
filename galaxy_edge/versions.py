"""Versions of installed packages, and of galaxy-edge itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

#: The version of this source code; pyproject.toml reads it here.
VERSION = "0.1.0"
#: Distributions that all install a module called onnxruntime, the last one over the others.
RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
)


def installed(name: str) -> str | None:
    """The version of a distribution, or None if it is not installed.

    That of galaxy-edge is always known: a zip file or a frozen program has the code without the
    metadata that pip writes.
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return VERSION if name == "galaxy-edge" else None


def runtimes() -> dict[str, str]:
    """The installed distributions of onnxruntime and their versions."""
    return {name: found for name in RUNTIMES if (found := installed(name))}
