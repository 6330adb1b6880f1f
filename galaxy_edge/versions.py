"""Versions of installed packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

#: Distributions that all install a module called onnxruntime, the last one over the others.
RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
)


def installed(name: str) -> str | None:
    """The version of a distribution, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def runtimes() -> dict[str, str]:
    """The installed distributions of onnxruntime and their versions."""
    return {name: found for name in RUNTIMES if (found := installed(name))}
