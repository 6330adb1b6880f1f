"""Importing and running load only what is needed, and onnxruntime records no telemetry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "tensorflow", "keras", "tf2onnx", "onnx", "sklearn", "matplotlib", "scipy", "astropy",
    "pyarrow", "pandas", "h5py", "zarr", "fastavro", "confluent_kafka", "watchfiles",
    "starlette", "uvicorn", "prometheus_client", "python_multipart",
)  # fmt: skip
RUN = """
import sys
from pathlib import Path
from galaxy_edge.cli import main
try:
    main({arguments})
except SystemExit as end:
    assert end.code == 0, end.code
"""


def loaded_after(code: str) -> set[str]:
    code += "\nprint('loaded:', *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_loads_no_dependency():
    loaded = loaded_after("import sys, galaxy_edge")
    assert not loaded & {"numpy", "onnxruntime", "PIL", "typer", *HEAVY}


def test_a_predictor_loads_only_the_runtime():
    loaded = loaded_after("import sys\nfrom galaxy_edge import Predictor, Prediction, Manifest")
    assert {"onnxruntime", "numpy", "PIL"} <= loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        *(
            [name, "--help"]
            for name in ("train", "evaluate", "benchmark", "watch", "consume", "serve")
        ),
    ],
)
def test_help_does_not_load_the_runtime(arguments: list[str]):
    loaded = loaded_after(RUN.format(arguments=arguments))
    assert not loaded & {"numpy", "onnxruntime", "PIL", *HEAVY}


def test_predict_does_not_load_the_evaluation():
    example = Path(__file__).parents[2] / "examples" / "diffusion_0.png"
    loaded = loaded_after(RUN.format(arguments=["predict", str(example)]))
    assert "galaxy_edge.predictor" in loaded
    assert not loaded & {"galaxy_edge.evaluation", "galaxy_edge.inputs.containers", *HEAVY}


def test_an_unknown_name_is_an_attribute_error():
    import galaxy_edge

    with pytest.raises(AttributeError, match="Predictr"):
        _ = galaxy_edge.Predictr
    assert set(dir(galaxy_edge)) >= {"GateError"}


def _with_telemetry() -> dict[str, str]:
    """An environment in which onnxruntime records telemetry unless it is disabled."""
    # It records nothing if one of these variables says that this is a build server.
    servers = {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TF_BUILD", "TRAVIS"}
    servers |= {"CODEBUILD_BUILD_ID", "TEAMCITY_VERSION", "ORT_DISABLE_TELEMETRY"}
    kept = {name: value for name, value in os.environ.items() if name not in servers}
    return kept | {"XDG_CACHE_HOME": ""}


@pytest.mark.parametrize(
    "code",
    [
        "import sys, galaxy_edge; galaxy_edge.Predictor().predict(sys.argv[1])",
        "import galaxy_edge_export.bias, onnxruntime as o, sys; o.InferenceSession(sys.argv[2])",
    ],
    ids=["runtime", "export"],
)
def test_onnxruntime_records_nothing_about_the_user(code: str, tmp_path):
    root = Path(__file__).parents[2]
    environment = _with_telemetry()
    subprocess.run(
        [sys.executable, "-c", code, root / "examples" / "diffusion_0.png",
         root / "galaxy_edge" / "models" / "galaxy-edge.onnx"],
        env=environment | {"HOME": str(tmp_path)}, check=True,
    )  # fmt: skip
    assert [path for path in tmp_path.rglob("*") if "Microsoft" in str(path)] == []


def test_onnxruntime_records_a_device_id_by_default(tmp_path):
    import onnxruntime

    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 31):
        pytest.skip("this onnxruntime has no telemetry")
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1])",
         root / "galaxy_edge" / "models" / "galaxy-edge.onnx"],
        env=_with_telemetry() | {"HOME": str(tmp_path)}, check=True,
    )  # fmt: skip
    assert list(tmp_path.rglob("deviceid"))
