"""Why a device does not work although the installed onnxruntime has its provider.

onnxruntime tells that to its log, if at all. So the driver is asked, and the provider's library is
loaded as onnxruntime loads it: what the system's loader misses now is what it missed then.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: Devices whose provider is a library beside onnxruntime's own, and how to get what it needs.
_REMEDIES = {
    "cuda": "`pip install 'onnxruntime-gpu[cuda,cudnn]'` brings CUDA's",
    "tensorrt": "`pip install 'onnxruntime-gpu[cuda,cudnn]'` brings CUDA's; TensorRT's come from "
    "NVIDIA and must be where the system's loader looks, in LD_LIBRARY_PATH or PATH say",
    "openvino": "uninstall every onnxruntime, then `pip install onnxruntime-openvino`",
}
#: CUDA_ERROR_NO_DEVICE of cuda.h.
_NO_DEVICE = 100


def why_not(
    device: str,
    folder: Path,
    cuda: str,
    *,
    load: Callable[..., Any] = ctypes.CDLL,
    environment: Mapping[str, str] = os.environ,
) -> str | None:
    """What keeps a device from working here.

    Args:
        device: a key of `galaxy_edge.engine.device.PROVIDERS`.
        folder: where onnxruntime has its libraries.
        cuda: the version of CUDA that this onnxruntime is built for, or "" if it does not say.
        load: loads a library, or raises OSError.
        environment: where CUDA_VISIBLE_DEVICES may be.

    Returns:
        A clause that may follow a colon, or None if nothing is found amiss.
    """
    if device in {"cuda", "tensorrt"} and (reason := _no_gpu(cuda, load, environment)):
        return reason
    return _no_library(device, folder, load) if device in _REMEDIES else None


def gist(error: Exception) -> str:
    """What an error of onnxruntime says to people, on one line.

    Those of CUDA's libraries come between the places in the source where they passed.
    """
    text = " ".join(str(error).split())
    found = re.search(r"\w+ failure \d+: [^;]+", text)
    return found[0].strip() if found else text


def _no_gpu(cuda: str, load: Callable[..., Any], environment: Mapping[str, str]) -> str | None:
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        driver = load(name)
    except OSError:
        return f"there is no NVIDIA driver ({name} does not load)"
    count, version = ctypes.c_int(), ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == _NO_DEVICE or (code == 0 and count.value == 0):
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        hint = (
            "" if visible is None else f"; CUDA_VISIBLE_DEVICES is {visible!r}, which may hide it"
        )
        return f"the NVIDIA driver finds no device{hint}"
    if code != 0:
        return f"the NVIDIA driver answers with error {code}; see what nvidia-smi says"
    driver.cuDriverGetVersion(ctypes.byref(version))
    major, minor = version.value // 1000, version.value % 1000 // 10
    # Within a major version, libraries newer than the driver work:
    # https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
    if cuda and major < int(cuda.partition(".")[0]):
        return (
            f"the NVIDIA driver is for CUDA {major}.{minor} at most, and this onnxruntime needs "
            f"{cuda}; update the driver, or install an onnxruntime-gpu built for CUDA {major}"
        )
    return None


def _no_library(device: str, folder: Path, load: Callable[..., Any]) -> str | None:
    prefix, suffix = ("", ".dll") if os.name == "nt" else ("lib", ".so")
    try:
        # The providers' libraries take their symbols from this one.
        load(str(folder / f"{prefix}onnxruntime_providers_shared{suffix}"), ctypes.RTLD_GLOBAL)
        load(str(folder / f"{prefix}onnxruntime_providers_{device}{suffix}"))
    except OSError as error:
        return f"a library that it needs does not load ({error}); {_REMEDIES[device]}"
    return None
