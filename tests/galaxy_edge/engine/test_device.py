"""Simulated unavailable devices: each reports the reason, and auto continues without it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from galaxy_edge import DeviceError, ModelError, Predictor
from galaxy_edge.engine import session
from galaxy_edge.engine.device import candidates
from galaxy_edge.engine.reasons import gist, why_not
from tests.conftest import galaxy

Cli = Callable[..., tuple[int, str, str]]
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
FOLDER = Path("capi")


class Driver:
    """The functions of NVIDIA's driver library that are used."""

    def __init__(self, code: int = 0, devices: int = 1, version: int = 13000):
        self.code, self.devices, self.version = code, devices, version

    def cuInit(self, flags):  # noqa: N802 - its name
        return self.code

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = self.devices
        return 0

    def cuDriverGetVersion(self, version):  # noqa: N802
        version._obj.value = self.version
        return 0


def loader(driver: Driver | None, missing: str = "nothing"):
    """A loader for all libraries except those with ``missing`` in their names."""

    def load(name: str, mode: int = ctypes.DEFAULT_MODE):
        if name in {"libcuda.so.1", "nvcuda.dll"}:
            if driver is None:
                raise OSError(name)
            return driver
        if missing in name:
            raise OSError(f"libneeded.so.7: cannot open shared object file, for {name}")
        return object()

    return load


def reason(device: str = "cuda", cuda: str = "13.0", visible: str | None = None, **simulated):
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return why_not(device, FOLDER, cuda, load=loader(**simulated), environment=environment)


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_missing_driver_is_reported(device: str):
    assert "no NVIDIA driver is installed" in reason(device, driver=None)


@pytest.mark.parametrize("driver", [Driver(code=100), Driver(devices=0)])
def test_a_driver_without_a_device_is_reported(driver: Driver):
    assert reason(driver=driver) == "the NVIDIA driver finds no device"
    assert "CUDA_VISIBLE_DEVICES='-1' may hide it" in reason(driver=driver, visible="-1")
    assert "CUDA_VISIBLE_DEVICES='' may hide it" in reason(driver=driver, visible="")


def test_an_error_of_the_driver_is_reported():
    assert "error 803" in reason(driver=Driver(code=803))


def test_a_driver_too_old_for_this_onnxruntime_is_reported():
    old = Driver(version=12040)
    assert "CUDA 12.4 at most, but this onnxruntime needs 13.0" in reason(driver=old)
    # Versions with the same major version are compatible, and a build may have no version.
    assert reason(cuda="12.8", driver=old) is None
    assert reason(cuda="", driver=old) is None


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "openvino"])
def test_a_missing_library_is_reported(device: str):
    found = reason(device, driver=Driver(), missing=f"providers_{device}")
    assert "libneeded.so.7: cannot open" in found
    assert "pip install" in found
    assert "libneeded.so.7" in reason(device, driver=Driver(), missing="providers_shared")


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "openvino"])
def test_without_a_problem_there_is_no_reason(device: str):
    assert reason(device, driver=Driver(), visible="0") is None


@pytest.mark.parametrize("device", ["cpu", "coreml", "directml"])
def test_providers_inside_onnxruntime_need_no_separate_library(device: str):
    assert reason(device, driver=None, missing="") is None


def test_openvino_needs_no_nvidia_driver():
    assert reason("openvino", driver=None) is None


def test_the_message_of_cuda_is_extracted_from_that_of_onnxruntime():
    error = RuntimeError(
        "/src/cuda_call.cc:154 Status CudaCall(...) [with THRW = true]\n/src/cuda_call.cc:146 "
        "CUDA failure 35: driver version is insufficient ; GPU=-1 ; hostname=vm ; file=/src/x.cc"
    )
    assert gist(error) == "CUDA failure 35: driver version is insufficient"
    assert gist(RuntimeError("in two\n  lines")) == "in two lines"


@pytest.mark.parametrize(
    ("system", "device", "words"),
    [
        ("Linux", "coreml", "for macOS, but this is Linux"),
        ("Linux", "directml", "for Windows, but this is Linux"),
        ("Darwin", "cuda", "for Linux and Windows, but this is macOS"),
        ("Darwin", "tensorrt", "for Linux and Windows, but this is macOS"),
        ("Darwin", "coreml", "pip install onnxruntime`"),
        ("Linux", "cuda", "pip install 'onnxruntime-gpu[cuda,cudnn]'"),
        ("Windows", "directml", "pip install onnxruntime-directml"),
        ("Linux", "openvino", "pip install onnxruntime-openvino"),
    ],
)
def test_a_provider_missing_from_this_build_is_an_error(
    monkeypatch: pytest.MonkeyPatch, system: str, device: str, words: str
):
    monkeypatch.setattr("platform.system", lambda: system)
    with pytest.raises(DeviceError) as caught:
        candidates(device, [CPU])
    assert words in str(caught.value)
    assert f"it has {CPU}" in str(caught.value)
    # The command line adds this, if it has the option.
    assert "--device" not in str(caught.value)


@pytest.fixture(params=["falls back", "raises"])
def without_a_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An onnxruntime built for CUDA on a machine without CUDA, and the way in which it fails."""
    real = onnxruntime.InferenceSession

    def attempt(model: bytes, options: object, providers: list[str], **rest: object):
        if CUDA in providers:
            print("noise of onnxruntime")
            if request.param == "raises":
                raise RuntimeError("/src/x.cc:1 CUDA failure 35: too old ; GPU=0")
        return real(model, options, providers=[CPU])

    def preload() -> None:
        print("noise of the preloading")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", attempt)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
    monkeypatch.setattr(session, "why_not", lambda *_: "the reason")
    return request.param


@pytest.mark.usefixtures("without_a_gpu")
def test_an_explicit_device_that_does_not_work_is_an_error(cli: Cli, examples: list[Path]):
    code, out, err = cli("predict", "--device", "cuda", *examples)
    assert (code, out) == (4, "")
    assert "the device cuda does not work here: the reason; or use --device auto" in err
    assert "preloading" not in err


@pytest.mark.usefixtures("without_a_gpu")
def test_auto_continues_without_the_device_and_prints_a_note(cli: Cli, examples: list[Path]):
    note = "galaxy-edge: cuda is not used: the reason"
    code, out, err = cli("predict", *examples, "--format", "jsonl")
    assert code == 0
    assert "noise" not in out
    assert out.count(f'"provider": "{CPU}"') == len(out.splitlines()) == len(examples)
    assert err.splitlines().count(note) == 1
    assert f"({CPU})" in err.splitlines()[-1]
    assert cli("predict", "--quiet", *examples)[2].splitlines().count(note) == 1
    assert note in cli("verify")[2].splitlines()
    assert note in cli("benchmark", "--seconds", 0)[2].splitlines()
    assert Predictor().notes == ("cuda is not used: the reason",)


@pytest.mark.usefixtures("without_a_gpu")
def test_there_is_no_note_when_the_cpu_is_requested(cli: Cli, examples: list[Path]):
    assert Predictor(device="cpu").notes == ()
    assert "not used" not in cli("predict", "--device", "cpu", *examples)[2]


@pytest.mark.usefixtures("without_a_gpu")
def test_doctor_gives_the_reason(cli: Cli):
    code, out, _ = cli("doctor")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert lines["cuda"].startswith("no: ")
    assert "the reason" in lines["cuda"]


@pytest.mark.usefixtures("without_a_gpu")
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_damaged_model_is_not_blamed_on_the_device(tmp_path: Path, device: str):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"rubbish")
    with pytest.raises(ModelError, match="it is not an ONNX file, or it is damaged"):
        Predictor(path, device=device)


def test_the_message_of_onnxruntime_is_reported_when_no_reason_is_found(
    without_a_gpu: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "why_not", lambda *_: None)
    words = {"falls back": f"fell back to the {CPU}", "raises": "CUDA failure 35: too old$"}
    with pytest.raises(DeviceError, match=words[without_a_gpu]):
        Predictor(device="cuda")


def test_libraries_installed_by_pip_are_loaded_before_cuda_is_tried(
    without_a_gpu: str, monkeypatch: pytest.MonkeyPatch
):
    calls = []
    attempt = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: calls.append("preload"))
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *a, providers, **k: (
            calls.append(*providers) or attempt(*a, providers=providers, **k)
        ),
    )
    Predictor()
    assert calls == ["preload", CUDA, CPU]


def test_losing_the_device_is_an_error(monkeypatch: pytest.MonkeyPatch):
    # By default onnxruntime would continue on the CPU, and the rows would name the lost device.
    predictor = Predictor()
    runtime = predictor._session._session

    class Lost:
        def __getattr__(self, name: str, inner: object = runtime._sess):
            return getattr(inner, name)

        def run(self, *_: object) -> None:
            raise EPFail("the device is lost")

    monkeypatch.setattr(runtime, "_sess", Lost())
    with pytest.raises(ModelError, match="the device is lost"):
        predictor.predict(galaxy(1))


def test_a_broken_onnxruntime_is_reported_after_one_of_two_was_uninstalled(
    monkeypatch: pytest.MonkeyPatch, cli: Cli
):
    monkeypatch.delattr(onnxruntime, "InferenceSession")
    code, out, err = cli("verify")
    assert (code, out) == (4, "")
    assert "uninstall every onnxruntime" in err
    assert "Traceback" not in err


@pytest.fixture
def examples() -> list[Path]:
    return sorted((Path(__file__).parents[3] / "examples").glob("*.png"))[:3]


class Divided:
    """A session on CUDA that silently runs some operators on the CPU, as onnxruntime may do."""

    def __init__(self, inner: object, on_the_cpu: tuple[str, ...]):
        self.inner, self.on_the_cpu = inner, on_the_cpu

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def get_provider_graph_assignment_info(self) -> list[SimpleNamespace]:
        def part(provider: str, *operators: str) -> SimpleNamespace:
            nodes = [SimpleNamespace(op_type=operator) for operator in operators]
            return SimpleNamespace(ep_name=provider, get_nodes=lambda: nodes)

        return [part(CUDA, "Conv", "Sigmoid"), part(CPU, *self.on_the_cpu)]


@pytest.mark.parametrize(
    ("on_the_cpu", "used"),
    [(("Reshape", "Cast"), True), (("QGemm", "Reshape", "QLinearConv"), False)],
)
def test_a_device_that_leaves_layers_to_the_cpu_is_not_used(
    monkeypatch: pytest.MonkeyPatch, on_the_cpu: tuple[str, ...], used: bool
):
    real = onnxruntime.InferenceSession

    def attempt(model: bytes, options: object, providers: list[str], **_: object):
        inner = real(model, options, providers=[CPU])
        return Divided(inner, on_the_cpu) if providers == [CUDA] else inner

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", attempt)
    monkeypatch.setattr(session, "why_not", lambda *_: None)
    assert Predictor().provider == (CUDA if used else CPU)
    if used:
        assert Predictor(device="cuda").provider == CUDA
    else:
        words = "leave QGemm, QLinearConv to the CPU; use a file exported with --portable"
        assert words in Predictor().notes[0]
        with pytest.raises(DeviceError, match=words):
            Predictor(device="cuda")
