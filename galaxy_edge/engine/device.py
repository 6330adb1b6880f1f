"""The choice of execution providers."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from galaxy_edge.errors import DeviceError, UsageError

#: Device names on the command line, and the execution provider of onnxruntime for each.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
#: The devices that ``auto`` tries, best first. TensorRT is not among them: it compiles a model for
#: minutes before the first image, so the user must request it.
AUTO = ("cuda", "directml", "coreml", "openvino", "cpu")
#: The operating systems of devices that do not exist on all.
_SYSTEMS = {
    "cuda": ("Linux", "Windows"),
    "tensorrt": ("Linux", "Windows"),
    "coreml": ("macOS",),
    "directml": ("Windows",),
}
#: The package to install for each device. The onnxruntime on PyPI includes CoreML on macOS.
_PACKAGES = {
    "cuda": "'onnxruntime-gpu[cuda,cudnn]'",
    "tensorrt": "'onnxruntime-gpu[cuda,cudnn]'",
    "openvino": "onnxruntime-openvino",
    "coreml": "onnxruntime",
    "directml": "onnxruntime-directml",
}


def candidates(device: str, available: Sequence[str]) -> list[str]:
    """List the providers to try for a device, best first.

    Args:
        device: ``auto`` or a key of `PROVIDERS`.
        available: the providers of the installed onnxruntime.

    Raises:
        UsageError: the device name is unknown.
        DeviceError: the installed onnxruntime has no provider for the device.
    """
    if device == "auto":
        return [PROVIDERS[name] for name in AUTO if PROVIDERS[name] in available]
    if device not in PROVIDERS:
        raise UsageError(f"unknown device {device!r}; choose auto, {', '.join(PROVIDERS)}")
    provider = PROVIDERS[device]
    if provider not in available:
        raise DeviceError(
            f"the device {device} needs the {provider}, which the installed onnxruntime does not "
            f"include (it has {', '.join(available)}); {_remedy(device)}"
        )
    return [provider]


def _remedy(device: str) -> str:
    system = platform.system().replace("Darwin", "macOS")
    systems = _SYSTEMS.get(device, (system,))
    if system not in systems:
        return f"it exists for {' and '.join(systems)}, but this is {system}: use another device"
    package = _PACKAGES.get(device, "onnxruntime")
    return f"uninstall every onnxruntime, then `pip install {package}`"
