"""The onnxruntime built for CUDA, with or without a GPU. It must be installed by hand:

    pip uninstall -y onnxruntime && pip install onnxruntime-gpu && pytest tests/galaxy_edge

Without a GPU these tests check that the reasons are reported; with a GPU, that the scores agree.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from galaxy_edge import DeviceError, Predictor
from galaxy_edge.engine.device import PROVIDERS
from galaxy_edge.golden import verify

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    PROVIDERS["cuda"] not in onnxruntime.get_available_providers(),
    reason="the installed onnxruntime is not built for CUDA",
)


def predict(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process: onnxruntime's C++ code opens its own streams."""
    command = [sys.executable, "-m", "galaxy_edge", "predict", "examples/diffusion_0.png"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )


def works(device: str) -> bool:
    try:
        Predictor(device=device)
    except DeviceError:
        return False
    return True


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_the_device_is_used_or_one_line_gives_the_reason(device: str):
    done = predict("--device", device, "--format", "jsonl")
    (line,) = done.stderr.splitlines()
    if works(device):
        assert done.returncode == 0
        assert f"({PROVIDERS[device]})" in line
        assert f'"provider": "{PROVIDERS[device]}"' in done.stdout
        assert verify(Predictor(device=device)).worst <= 1e-3
    else:
        assert (done.returncode, done.stdout) == (4, "")
        assert line.startswith(f"galaxy-edge: the device {device} does not work here: ")
        assert "does not say why" not in line


def test_auto_uses_a_device_that_works():
    done = predict("--format", "jsonl")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    *notes, summary = done.stderr.splitlines()
    device = "cuda" if works("cuda") else "cpu"
    assert f"({PROVIDERS[device]})" in summary
    assert len(notes) == (device == "cpu")
    assert all(note.startswith("galaxy-edge: cuda is not used: ") for note in notes)
