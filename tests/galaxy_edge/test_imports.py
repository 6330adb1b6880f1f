"""The runtime stays light, and the command line starts fast."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "tf2onnx", "onnx", "sklearn", "matplotlib", "scipy")
RUN = """
import sys
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


def test_importing_the_package_loads_nothing_of_weight():
    loaded = loaded_after("import sys, galaxy_edge")
    assert not loaded & {"numpy", "onnxruntime", "PIL", "typer", *HEAVY}


def test_a_predictor_loads_the_runtime_alone():
    loaded = loaded_after("import sys\nfrom galaxy_edge import Predictor, Prediction, Manifest")
    assert {"onnxruntime", "numpy", "PIL"} <= loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"]])
def test_help_loads_almost_nothing(arguments: list[str]):
    loaded = loaded_after(RUN.format(arguments=arguments))
    assert not loaded & {"numpy", "onnxruntime", "PIL", *HEAVY}


def test_an_unknown_name_is_an_attribute_error():
    import galaxy_edge

    with pytest.raises(AttributeError, match="Predictr"):
        _ = galaxy_edge.Predictr
    assert set(dir(galaxy_edge)) >= {"GateError"}
