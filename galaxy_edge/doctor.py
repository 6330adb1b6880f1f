"""Check the installation and every device of this machine."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass

from galaxy_edge.engine.device import PROVIDERS
from galaxy_edge.engine.threads import threads
from galaxy_edge.errors import GalaxyEdgeError, ModelError
from galaxy_edge.golden import describe, verify
from galaxy_edge.predictor import Predictor
from galaxy_edge.versions import installed, runtimes

_PACKAGES = ("galaxy-edge", "numpy", "pillow", "typer")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was checked.
        detail: the result.
        fault: whether it makes verdicts on this machine unreliable. A missing device is not a
            fault, because few machines have all devices.
    """

    subject: str
    detail: str
    fault: bool = False


def examine() -> Iterator[Finding]:
    """Check the installation and the machine, and yield one finding after another."""
    yield Finding("python", f"{platform.python_version()}, {platform.platform()}")
    for name in _PACKAGES:
        yield Finding(name, installed(name) or "unknown version (not installed by pip)")
    yield _runtimes()
    limit = threads()
    yield Finding("threads", f"{limit.count}, from {limit.source}")
    for device in PROVIDERS:
        yield _device(device)


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
    """Check a device with the golden examples of the bundled model."""
    try:
        predictor = Predictor(device=device, check=False)
        found = verify(predictor)
    except GalaxyEdgeError as error:
        return Finding(device, f"no: {error}", fault=device == "cpu")
    detail = describe(found)
    try:
        found.check(predictor.manifest.tolerance)
    except ModelError:
        state = "wrong" if found.compared else "unknown"
        return Finding(device, f"{state}: {detail}; do not use it", fault=True)
    return Finding(device, f"yes: {detail}" + (f"; {found.note}" if found.note else ""))
