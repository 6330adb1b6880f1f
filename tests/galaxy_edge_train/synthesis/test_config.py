"""The configuration of a synthesis, which the command line reads without importing Keras."""

from __future__ import annotations

import subprocess
import sys

import pytest

from galaxy_edge.errors import UsageError
from galaxy_edge_train.families import FAMILY_NAMES
from galaxy_edge_train.synthesis.config import SynthesisConfig


def test_importing_the_configuration_loads_nothing_heavy():
    code = "import sys, galaxy_edge_train.synthesis.config; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow", "numpy"} & set(done.stdout.split())


def test_the_names_of_the_families_are_known_without_keras():
    pytest.importorskip("keras")
    from galaxy_edge_train.synthesis.fakes import FAMILIES

    assert tuple(FAMILIES) == FAMILY_NAMES


def test_epochs_and_minutes_come_from_the_configuration_or_else_from_the_family():
    assert SynthesisConfig().budget(60).epochs == 60
    budget = SynthesisConfig(epochs=3, minutes=1.5).budget(60)
    assert (budget.epochs, budget.minutes) == (3, 1.5)


def test_an_unknown_family_is_refused():
    with pytest.raises(UsageError, match="unknown generator"):
        SynthesisConfig(families=("flow",))
