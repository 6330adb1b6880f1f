"""Find out why a device does not work although the installed onnxruntime includes its provider.

onnxruntime writes the reason only to its log, or nowhere. So this module queries the driver and
loads the provider's library in the same way as onnxruntime: a library that is missing now was
missing then.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: Devices whose provider is in a separate library, and how to get the libraries that it needs.
_REMEDIES = {
    "cuda": "`pip install 'onnxruntime-gpu[cuda,cudnn]'` installs the libraries of CUDA",
    "tensorrt": "`pip install 'onnxruntime-gpu[cuda,cudnn]'` installs the libraries of CUDA; those "
    "of TensorRT come from NVIDIA and must be in a folder that the system's loader searches, such "
    "as one in LD_LIBRARY_PATH or PATH",
    "openvino": "uninstall every onnxruntime, then `pip install onnxruntime-openvino`",
}
#: CUDA_ERROR_NO_DEVICE in cuda.h.
_NO_DEVICE = 100


def why_not(
    device: str,
    folder: Path,
    cuda: str,
    *,
    load: Callable[..., Any] = ctypes.CDLL,
    environment: Mapping[str, str] = os.environ,
) -> str | None:
    """Find the reason why a device does not work on this machine.

    Args:
        device: a key of `galaxy_edge.engine.device.PROVIDERS`.
        folder: the folder of onnxruntime's libraries.
        cuda: the CUDA version that this onnxruntime is built for, or "" if unknown.
        load: function that loads a library, or raises OSError.
        environment: environment variables; CUDA_VISIBLE_DEVICES is read.

    Returns:
        A clause that can follow a colon, or None if no problem was found.
    """
    if device in {"cuda", "tensorrt"} and (reason := _no_gpu(cuda, load, environment)):
        return reason
    return _no_library(device, folder, load) if device in _REMEDIES else None


def gist(error: Exception) -> str:
    """Reduce an error of onnxruntime to the readable part, on one line.

    Messages of the CUDA libraries are surrounded by the source locations they passed through.
    """
    text = " ".join(str(error).split())
    found = re.search(r"\w+ failure \d+: [^;]+", text)
    return found[0].strip() if found else text


def _no_gpu(cuda: str, load: Callable[..., Any], environment: Mapping[str, str]) -> str | None:
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        driver = load(name)
    except OSError:
        return f"no NVIDIA driver is installed ({name} cannot be loaded)"
    count, version = ctypes.c_int(), ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == _NO_DEVICE or (code == 0 and count.value == 0):
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        hint = "" if visible is None else f"; CUDA_VISIBLE_DEVICES={visible!r} may hide it"
        return f"the NVIDIA driver finds no device{hint}"
    if code != 0:
        return f"the NVIDIA driver returns error {code}; run nvidia-smi for details"
    driver.cuDriverGetVersion(ctypes.byref(version))
    major, minor = version.value // 1000, version.value % 1000 // 10
    # Libraries newer than the driver work within the same major version:
    # https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
    if cuda and major < int(cuda.partition(".")[0]):
        return (
            f"the NVIDIA driver supports CUDA {major}.{minor} at most, but this onnxruntime needs "
            f"{cuda}; update the driver, or install an onnxruntime-gpu built for CUDA {major}"
        )
    return None


def _no_library(device: str, folder: Path, load: Callable[..., Any]) -> str | None:
    prefix, suffix = ("", ".dll") if os.name == "nt" else ("lib", ".so")
    try:
        # The libraries of all providers use symbols from this one.
        load(str(folder / f"{prefix}onnxruntime_providers_shared{suffix}"), ctypes.RTLD_GLOBAL)
        load(str(folder / f"{prefix}onnxruntime_providers_{device}{suffix}"))
    except OSError as error:
        return f"a required library cannot be loaded ({error}); {_REMEDIES[device]}"
    return None
