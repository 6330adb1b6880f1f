"""An onnxruntime session on a galaxy-edge model file; the only file that imports onnxruntime."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from galaxy_edge.decision import Decision, Probabilities
from galaxy_edge.engine.device import PROVIDERS, candidates
from galaxy_edge.engine.reasons import gist, why_not
from galaxy_edge.engine.threads import threads as thread_limit
from galaxy_edge.errors import DeviceError, ModelError
from galaxy_edge.manifest import INPUT_NAME, Manifest

#: Lowest severity that onnxruntime logs: 3, errors. Its warnings (a node that fell back to another
#: provider, for example) would appear in the middle of a table of verdicts.
_LOG_SEVERITY = 3
#: The severity it logs outside of any session: 4, fatal errors, while a provider is tried, and 2,
#: warnings, its default, afterwards.
_QUIET, _USUAL = 4, 2
#: Operators that hold the arithmetic of a network.
_LAYERS = frozenset({"Conv", "Gemm", "MatMul", "MatMulNBits", "QGemm", "QLinearConv"})
_OPENVINO = PROVIDERS["openvino"]
_NAMES = {provider: name for name, provider in PROVIDERS.items()}

#: Name, type and shape of a tensor, as onnxruntime gives them.
_Signature = tuple[str, str, list[int | str | None]]


@dataclass(frozen=True, slots=True)
class Result:
    """What the network computes for a batch.

    Attributes:
        scores: float32 [N, C], one probability per class, 0 to 1.
        typicality: float32 [N], 0 to 1; None if the file does not compute it.
    """

    scores: Probabilities
    typicality: npt.NDArray[np.float32] | None = None


class Session:
    """A loaded model.

    Args:
        model: the bytes of an .onnx file.
        device: ``auto`` or a device name (`galaxy_edge.engine.device.PROVIDERS`).
        threads: maximum number for one inference; see `galaxy_edge.engine.threads`.
        batch_size: the number of images in most batches. ``auto`` uses OpenVINO only if it is
            faster for these.

    Attributes:
        manifest: what the file says of itself.
        provider: the execution provider in use.
        notes: why ``auto`` passed over better providers that onnxruntime has, a sentence for each.

    Raises:
        ModelError: the bytes are not a model that this runtime can obey.
        DeviceError: the requested device is missing or does not work.
        UsageError: there is no such device, or fewer than one thread is requested.
    """

    def __init__(
        self,
        model: bytes,
        *,
        device: str = "auto",
        threads: int | None = None,
        batch_size: int = 32,
    ) -> None:
        if not hasattr(onnxruntime, "InferenceSession"):
            raise DeviceError(
                "the installed onnxruntime has lost files, as happens when one of two builds of it "
                "is uninstalled; uninstall every onnxruntime, then install one"
            )
        providers = candidates(device, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        count = thread_limit(threads).count
        options.intra_op_num_threads = count
        options.log_severity_level = _LOG_SEVERITY
        # Spinning threads take the cores from decoding and from every other process;
        # docs/performance.md has what that costs and gains.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Records which provider runs which operator: see _left_to_the_cpu.
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        # Weights in another file would be read from the current folder, and no digest would cover
        # them. Below the null device there is nothing to read.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.devnull
        )
        faults: dict[str, str] = {}
        contest = known = None
        if device == "auto" and _OPENVINO in providers:
            from galaxy_edge.engine.contest import Contest  # noqa: PLC0415 - few have OpenVINO

            contest = Contest(hashlib.sha256(model).hexdigest(), count, batch_size)
            known = contest.known()
            if known and not known.openvino_wins:
                providers.remove(_OPENVINO)
                faults["openvino"] = known.why_not
        self._session, found = _first_that_works(model, options, providers, count)
        self.provider: str = self._session.get_providers()[0]
        faults |= found
        if faults and device != "auto":
            raise DeviceError(f"the device {device} does not work here: {faults[device]}")
        # Nor may it change to the CPU later, between two batches.
        self._session.disable_fallback()
        self.manifest = Manifest.from_metadata(self._session.get_modelmeta().custom_metadata_map)
        self._decision = Decision(self.manifest)
        self._check_signature()
        if contest and not known and self.provider == _OPENVINO:
            cpu = _open(model, options, PROVIDERS["cpu"], count)
            speed = contest.measure(
                self.manifest.preprocessing.size, _runner(self._session), _runner(cpu)
            )
            if not speed.openvino_wins:
                self._session, self.provider = cpu, PROVIDERS["cpu"]
                faults["openvino"] = speed.why_not
        self.notes = tuple(f"{name} is not used: {fault}" for name, fault in faults.items())

    def run(self, images: npt.NDArray[np.uint8]) -> Result:
        """Run the network on a batch.

        Args:
            images: uint8 [N, size, size, 3], RGB, ``size`` as in the manifest; N may be 0.

        Raises:
            ValueError: another dtype or shape.
            ModelError: the model does not run, or gives scores that are not probabilities.
        """
        size = self.manifest.preprocessing.size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (size, size, 3):
            raise ValueError(
                f"images must be uint8 [N, {size}, {size}, 3], not {images.dtype} "
                f"{list(images.shape)}; `predict` takes images of any size"
            )
        outputs = self.manifest.outputs
        if len(images) == 0:
            none = None if outputs.typicality is None else np.empty(0, np.float32)
            return Result(np.empty((0, len(self.manifest.classes)), np.float32), none)
        batch = {INPUT_NAME: np.ascontiguousarray(images)}
        names = [name for name in (outputs.scores, outputs.typicality) if name is not None]
        try:
            scores, *typicality = self._session.run(names, batch)
        except Exception as error:  # as above
            raise ModelError(f"onnxruntime cannot run the model: {error}") from error
        return Result(
            self._decision.probabilities(np.asarray(scores, dtype=np.float32)),
            self._decision.typicalities(np.asarray(typicality[0], dtype=np.float32))
            if typicality
            else None,
        )

    def _check_signature(self) -> None:
        size = self.manifest.preprocessing.size
        outputs = self.manifest.outputs
        wanted: list[_Signature] = [(outputs.scores, "tensor(float)", [self.manifest.score_width])]
        if outputs.typicality is not None:
            wanted.append((outputs.typicality, "tensor(float)", []))
        given = _signatures(self._session.get_inputs())
        if not _match(given, [(INPUT_NAME, "tensor(uint8)", [size, size, 3])]):
            raise ModelError(
                f"its input must be {INPUT_NAME}, uint8 [N, {size}, {size}, 3], not {given}"
            )
        found = _signatures(self._session.get_outputs())
        if not _match(found, wanted):
            names = " and ".join(
                f"{name}, float32 {['N', *shape]}".replace("'", "") for name, _, shape in wanted
            )
            raise ModelError(f"its output must be {names}, not {found}")


def metadata(model: bytes) -> dict[str, str]:
    """The ONNX metadata of a model, whatever they are.

    Raises:
        ModelError: the bytes are not a model that onnxruntime loads.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_SEVERITY
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    try:
        session = _open(model, options, PROVIDERS["cpu"], 1)
    except Exception as error:  # onnxruntime's classes share no other base
        raise ModelError(_unloadable(error)) from error
    return dict(session.get_modelmeta().custom_metadata_map)


def _signatures(tensors: Any) -> list[_Signature]:
    return [(item.name, item.type, item.shape) for item in tensors]


def _match(found: list[_Signature], wanted: list[_Signature]) -> bool:
    """Whether the tensors have these names, types and shapes, for any number of images.

    Args:
        found: the model's.
        wanted: with the shapes of one image, without the batch.
    """
    by_name = {name: (kind, shape) for name, kind, shape in found}
    if by_name.keys() != {name for name, _, _ in wanted} or len(found) != len(wanted):
        return False
    for name, kind, shape in wanted:
        found_kind, found_shape = by_name[name]
        if found_kind != kind or found_shape[1:] != shape or len(found_shape) != len(shape) + 1:
            return False
        if isinstance(found_shape[0], int):
            return False
    return True


def _first_that_works(
    model: bytes, options: Any, providers: list[str], threads: int
) -> tuple[Any, dict[str, str]]:
    """A session on the first provider that can run the model, and why those before it cannot.

    Raises:
        ModelError: not even the CPU, which is tried last, can load it.
    """
    faults = {}
    # The CPU last, even if it is not requested: if that fails too, the model is at fault.
    for provider in dict.fromkeys([*providers, PROVIDERS["cpu"]]):
        try:
            session = _open(model, options, provider, threads)
        except Exception as error:  # onnxruntime's classes share no other base
            if provider == PROVIDERS["cpu"]:
                raise ModelError(_unloadable(error)) from error
            fault = gist(error)
        else:
            used = session.get_providers()[0]
            left = _left_to_the_cpu(session, provider)
            if used != provider:
                fault = f"onnxruntime fell back to the {used} and does not say why"
            elif left:
                fault = (
                    f"it would leave {', '.join(left)} to the CPU; use a file exported with "
                    "--portable, or without --quantize"
                )
            else:
                break
        faults[_NAMES[provider]] = _reason(provider) or fault
    return session, faults


def _unloadable(error: Exception) -> str:
    if "INVALID_PROTOBUF" in str(error):
        return "it is not an ONNX file, or it is damaged"
    return f"onnxruntime cannot load it: {error}"


def _open(model: bytes, options: Any, provider: str, threads: int) -> Any:
    """A session on a provider; a CPU session or any exception if the provider does not work."""
    if provider == PROVIDERS["cpu"]:
        return onnxruntime.InferenceSession(model, options, providers=[provider])
    if _NAMES[provider] in {"cuda", "tensorrt"} and hasattr(onnxruntime, "preload_dlls"):
        # Finds CUDA's libraries where pip puts them. It prints what is missing; so do we, later.
        with redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
    chosen: Any = provider
    if provider == _OPENVINO:
        # It ignores the threads of the session's options.
        settings = {"INFERENCE_NUM_THREADS": str(threads)}
        chosen = (provider, {"device_type": "CPU", "load_config": json.dumps({"CPU": settings})})
    onnxruntime.set_default_logger_severity(_QUIET)
    try:
        # Before 1.23 it ignores enable_fallback and prints that it falls back; stdout is for rows.
        with redirect_stdout(sys.stderr):
            return onnxruntime.InferenceSession(
                model, options, providers=[chosen], enable_fallback=0
            )
    finally:
        onnxruntime.set_default_logger_severity(_USUAL)


def _runner(session: Any) -> Callable[[npt.NDArray[np.uint8]], object]:
    return lambda images: session.run(None, {INPUT_NAME: images})


def _left_to_the_cpu(session: Any, provider: str) -> list[str]:
    """The layers that a provider has no kernels for; onnxruntime runs them elsewhere, silently.

    Shapes and casts may run anywhere. Before 1.24, onnxruntime does not report this.
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
