"""The command line and the export share their defaults, and reading them imports nothing heavy."""

from __future__ import annotations

import inspect

import pytest

from galaxy_edge.cli.export import export as command
from galaxy_edge_export.config import Limits, Quantization, VerdictRule
from galaxy_edge_export.export import prepare
from tests.galaxy_edge.test_imports import HEAVY, RUN, loaded_after


def test_the_command_line_has_the_defaults_of_the_export():
    defaults = {name: item.default for name, item in inspect.signature(command).parameters.items()}
    limits = Limits(
        defaults["max_accuracy_drop"],
        defaults["max_flips"],
        defaults["max_auc_drop"],
        defaults["min_speedup"],
    )
    names = ("calibration_images", "seed", "target", "portable", "dense_bits")
    chosen = {name: defaults[name] for name in names}
    assert Quantization(limits=limits, **chosen) == Quantization()
    rule = (defaults["typicality"], float(defaults["ood_limit"]), defaults["open_class"])
    assert VerdictRule(*rule, defaults["abstain_error"]) == VerdictRule()
    # None means `THRESHOLD` for two classes, and no threshold for more.
    assert defaults["threshold"] is None
    assert inspect.signature(prepare).parameters["threshold"].default is None


@pytest.mark.parametrize(
    "code",
    ["import sys, galaxy_edge_export.config", RUN.format(arguments=["export", "--help"])],
    ids=["config", "help"],
)
def test_reading_the_defaults_loads_nothing_heavy(code: str):
    assert not loaded_after(code) & {"numpy", "onnxruntime", "PIL", "h5py", *HEAVY}
