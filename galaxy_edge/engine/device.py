"""Execution providers: chosen openly, never silently."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from galaxy_edge.errors import DeviceError, UsageError

#: Device names of the command line and the provider of onnxruntime that serves each.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
#: What ``auto`` tries, best first. TensorRT is left out: it compiles a model for minutes before
#: the first image, which has to be asked for.
AUTO = ("cuda", "directml", "coreml", "openvino", "cpu")
#: Devices of some systems alone.
_SYSTEMS = {
    "cuda": ("Linux", "Windows"),
    "tensorrt": ("Linux", "Windows"),
    "coreml": ("macOS",),
    "directml": ("Windows",),
}
#: What to install in the place of onnxruntime; that of PyPI for macOS has CoreML.
_PACKAGES = {
    "cuda": "'onnxruntime-gpu[cuda,cudnn]'",
    "tensorrt": "'onnxruntime-gpu[cuda,cudnn]'",
    "openvino": "onnxruntime-openvino",
    "coreml": "onnxruntime",
    "directml": "onnxruntime-directml",
}


def candidates(device: str, available: Sequence[str]) -> list[str]:
    """The providers to try for a device, best first.

    Args:
        device: ``auto`` or a key of `PROVIDERS`.
        available: providers of the installed onnxruntime.

    Raises:
        UsageError: there is no such device name.
        DeviceError: this onnxruntime has no provider for it.
    """
    if device == "auto":
        return [PROVIDERS[name] for name in AUTO if PROVIDERS[name] in available]
    if device not in PROVIDERS:
        raise UsageError(f"no device is called {device!r}; choose auto, {', '.join(PROVIDERS)}")
    provider = PROVIDERS[device]
    if provider not in available:
        raise DeviceError(
            f"the device {device} needs the {provider}, which the installed onnxruntime does not "
            f"have (it has {', '.join(available)}); {_remedy(device)}, or use --device auto"
        )
    return [provider]


def _remedy(device: str) -> str:
    system = platform.system().replace("Darwin", "macOS")
    systems = _SYSTEMS.get(device, (system,))
    if system not in systems:
        return f"it is for {' and '.join(systems)}, and this is {system}: choose another device"
    package = _PACKAGES.get(device, "onnxruntime")
    return f"uninstall every onnxruntime, then `pip install {package}`"
