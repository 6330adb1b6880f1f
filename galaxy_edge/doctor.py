"""What this machine can do, and what stands in its way."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from galaxy_edge.engine.device import PROVIDERS
from galaxy_edge.engine.threads import threads
from galaxy_edge.errors import GalaxyEdgeError
from galaxy_edge.golden import verify
from galaxy_edge.predictor import Predictor

_PACKAGES = ("galaxy-edge", "numpy", "pillow", "typer")
#: Distributions that all install a module called onnxruntime, the last one over the others.
_RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at.
        detail: what was found.
        fault: whether it keeps verdicts from being trusted here. A device that is not there is
            none: few machines have them all.
    """

    subject: str
    detail: str
    fault: bool = False


def examine() -> Iterator[Finding]:
    """Look at the installation and the machine, one finding after the other."""
    yield Finding("python", f"{platform.python_version()}, {platform.platform()}")
    for name in _PACKAGES:
        yield Finding(name, installed(name) or "not installed as a distribution")
    yield _runtimes()
    limit = threads()
    yield Finding("threads", f"{limit.count}, from {limit.source}")
    for device in PROVIDERS:
        yield _device(device)


def installed(name: str) -> str | None:
    """The version of a distribution, if it is there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def runtimes() -> dict[str, str]:
    """The distributions of onnxruntime that are there, and their versions."""
    return {name: found for name in _RUNTIMES if (found := installed(name))}


def _runtimes() -> Finding:
    found = runtimes()
    text = ", ".join(f"{name} {number}" for name, number in found.items()) or "none"
    if len(found) < 2:
        return Finding("onnxruntime", text)
    return Finding(
        "onnxruntime",
        f"{text}: they overwrite each other's files; uninstall all of them, then install one",
        fault=True,
    )


def _device(device: str) -> Finding:
    """Whether a device works, shown by the bundled model's golden examples."""
    try:
        predictor = Predictor(device=device, check=False)
        found = verify(predictor)
    except GalaxyEdgeError as error:
        return Finding(device, f"no: {error}", fault=device == "cpu")
    detail = f"largest difference of a golden score {found.worst:.1e}"
    if found.worst > predictor.manifest.tolerance or found.decoded_otherwise:
        return Finding(device, f"wrong: {detail}; do not use it", fault=True)
    return Finding(device, f"yes: {detail}")
