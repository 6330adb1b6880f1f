"""Export of the documented network, untrained, in its own process: the time a user waits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from galaxy_edge_train import networks
from galaxy_edge_train.config import NetworkConfig
from tests.conftest import make_data

#: Limits that any export passes: an untrained network has no verdicts to keep.
NO_LIMITS = (
    "--max-accuracy-drop",
    "100",
    "--max-flips",
    "100",
    "--max-auc-drop",
    "1",
    "--min-speedup",
    "0",
)


@pytest.mark.benchmark(group="export, whole process")
@pytest.mark.parametrize("form", ["fp32", "int8"])
def test_export(benchmark: Any, tmp_path: Path, form: str):
    keras.utils.set_random_seed(0)
    # When nothing is timed, a small network is enough to show that it runs.
    config = NetworkConfig() if benchmark.enabled else NetworkConfig(filters=(4, 8), dense_units=8)
    networks.build(config, 150).save(tmp_path / "model.keras")
    data = make_data(tmp_path / "data", train=64, valid=32)
    output = tmp_path / "model.onnx"
    command = [sys.executable, "-m", "galaxy_edge", "export", tmp_path / "model.keras"]
    command += ["-o", output, "--input-range", "0..1", "--quiet"]
    if form == "int8":
        command += ["--quantize", "--data", data, "--calibration-images", "64", *NO_LIMITS]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=3)
    benchmark.extra_info["bytes"] = output.stat().st_size
    assert output.stat().st_size > 0
