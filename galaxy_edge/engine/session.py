"""An onnxruntime session on a galaxy-edge model file; the only file that imports onnxruntime."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from galaxy_edge.engine.device import PROVIDERS, candidates
from galaxy_edge.engine.reasons import gist, why_not
from galaxy_edge.engine.threads import threads as thread_limit
from galaxy_edge.errors import DeviceError, ModelError
from galaxy_edge.manifest import INPUT_NAME, OUTPUT_NAME, Manifest

#: Lowest severity onnxruntime logs: 3, errors. Its warnings (a node that fell back to another
#: provider, say) would land in the middle of a table of verdicts.
_LOG_SEVERITY = 3
#: What it logs outside of any session, before and after a provider is tried: 4, fatal errors, and
#: 2, warnings, with which it starts.
_QUIET, _USUAL = 4, 2
#: Operators that hold the arithmetic of a network.
_LAYERS = frozenset({"Conv", "Gemm", "MatMul", "MatMulNBits", "QGemm", "QLinearConv"})
_NAMES = {provider: name for name, provider in PROVIDERS.items()}


class Session:
    """A loaded model.

    Args:
        model: the bytes of an .onnx file.
        device: ``auto`` or a device name (`galaxy_edge.engine.device.PROVIDERS`).
        threads: at most so many for one inference; see `galaxy_edge.engine.threads`.

    Attributes:
        manifest: what the file says of itself.
        provider: the execution provider in use.
        notes: why ``auto`` passed over a better one, a sentence for each that onnxruntime has.

    Raises:
        ModelError: the bytes are no model that this runtime can honour.
        DeviceError: the device asked for is not there, or does not work.
        UsageError: there is no such device, or fewer than one thread is asked for.
    """

    def __init__(self, model: bytes, *, device: str = "auto", threads: int | None = None) -> None:
        if not hasattr(onnxruntime, "InferenceSession"):
            raise DeviceError(
                "the installed onnxruntime has lost files, as when one of two builds of it is "
                "uninstalled; uninstall every onnxruntime, then install one"
            )
        providers = candidates(device, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_limit(threads).count
        options.log_severity_level = _LOG_SEVERITY
        # Threads that wait in a loop for more to do take the cores from those that decode, and
        # from every other process: docs/performance.md has what that costs and gains.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Which provider runs which operator: see _left_to_the_cpu.
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        # Weights in another file would be read from the current folder, and no digest would cover
        # them. Below the null device there is nothing to read.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.devnull
        )
        faults = {}
        # The CPU last, even when it is not asked for: what fails there, too, is the model's fault.
        for provider in dict.fromkeys([*providers, PROVIDERS["cpu"]]):
            try:
                self._session = _open(model, options, provider)
            except Exception as error:  # onnxruntime's classes share no base but this
                if provider == PROVIDERS["cpu"]:
                    raise ModelError(f"onnxruntime cannot load it: {error}") from error
                fault = gist(error)
            else:
                self.provider: str = self._session.get_providers()[0]
                left = _left_to_the_cpu(self._session, provider)
                if self.provider != provider:
                    fault = f"onnxruntime fell back to the {self.provider} and does not say why"
                elif left:
                    fault = (
                        f"it would leave {', '.join(left)} to the CPU; use a file exported with "
                        "--portable, or without --quantize"
                    )
                else:
                    break
            faults[_NAMES[provider]] = _reason(provider) or fault
        if faults and device != "auto":
            raise DeviceError(
                f"the device {device} does not work here: {faults[device]}; --device auto takes "
                "the best that does"
            )
        self.notes = tuple(f"{name} is not used: {fault}" for name, fault in faults.items())
        # Nor may it go over to the CPU later, between two batches.
        self._session.disable_fallback()
        self.manifest = Manifest.from_metadata(self._session.get_modelmeta().custom_metadata_map)
        self._check_signature()

    def score(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Score a batch.

        Args:
            images: uint8 [N, size, size, 3], RGB, ``size`` as in the manifest; N may be 0.

        Returns:
            float32 [N], P(positive), 0 to 1.

        Raises:
            ValueError: another dtype or shape.
            ModelError: the model does not run, or gives scores outside 0 to 1.
        """
        size = self.manifest.preprocessing.size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (size, size, 3):
            raise ValueError(
                f"images must be uint8 [N, {size}, {size}, 3], not {images.dtype} "
                f"{list(images.shape)}; `predict` takes images of any size"
            )
        if len(images) == 0:
            return np.empty(0, np.float32)
        batch = {INPUT_NAME: np.ascontiguousarray(images)}
        try:
            (scores,) = self._session.run([OUTPUT_NAME], batch)
        except Exception as error:  # as above
            raise ModelError(f"onnxruntime cannot run the model: {error}") from error
        # Not "any outside": NaN is neither inside nor outside.
        if not np.all((scores >= 0) & (scores <= 1)):
            raise ModelError("the model gives scores that are no probabilities; it is damaged")
        return np.asarray(scores, dtype=np.float32)[:, 0]

    def _check_signature(self) -> None:
        size = self.manifest.preprocessing.size
        inputs = [(item.name, item.type, item.shape) for item in self._session.get_inputs()]
        outputs = [(item.name, item.type, item.shape) for item in self._session.get_outputs()]
        if not _match(inputs, INPUT_NAME, "tensor(uint8)", [size, size, 3]):
            raise ModelError(
                f"its input must be {INPUT_NAME}, uint8 [N, {size}, {size}, 3], not {inputs}"
            )
        if not _match(outputs, OUTPUT_NAME, "tensor(float)", [1]):
            raise ModelError(f"its output must be {OUTPUT_NAME}, float32 [N, 1], not {outputs}")


def _match(
    found: list[tuple[str, str, list[int | str | None]]], name: str, kind: str, shape: list[int]
) -> bool:
    """Whether there is one tensor alone, of this name, type and shape, for any number of images."""
    if len(found) != 1 or len(found[0][2]) != len(shape) + 1:
        return False
    batch = found[0][2][0]
    return found[0] == (name, kind, [batch, *shape]) and not isinstance(batch, int)


def _open(model: bytes, options: Any, provider: str) -> Any:
    """A session on a provider; a CPU session or any exception where the provider does not work."""
    if provider == PROVIDERS["cpu"]:
        return onnxruntime.InferenceSession(model, options, providers=[provider])
    if _NAMES[provider] in {"cuda", "tensorrt"} and hasattr(onnxruntime, "preload_dlls"):
        # Finds CUDA's libraries where pip puts them. It prints what it misses; so do we, later.
        with redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
    onnxruntime.set_default_logger_severity(_QUIET)
    try:
        # Before 1.23 it knows no enable_fallback and prints that it falls back; rows go to stdout.
        with redirect_stdout(sys.stderr):
            return onnxruntime.InferenceSession(
                model, options, providers=[provider], enable_fallback=0
            )
    finally:
        onnxruntime.set_default_logger_severity(_USUAL)


def _left_to_the_cpu(session: Any, provider: str) -> list[str]:
    """The layers that a provider has no kernels for; onnxruntime runs them elsewhere, unseen.

    Shapes and casts may be anywhere. Before 1.24, onnxruntime does not tell.
    """
    if provider == PROVIDERS["cpu"] or not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    return sorted(
        {
            node.op_type
            for part in session.get_provider_graph_assignment_info()
            if part.ep_name == PROVIDERS["cpu"]
            for node in part.get_nodes()
            if node.op_type in _LAYERS
        }
    )


def _reason(provider: str) -> str | None:
    folder = Path(onnxruntime.__file__).parent / "capi"
    return why_not(_NAMES[provider], folder, getattr(onnxruntime, "cuda_version", ""))
