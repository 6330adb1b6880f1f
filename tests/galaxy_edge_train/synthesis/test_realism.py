"""The report on realism: other reals are closest to the reals, and each fault shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from galaxy_edge_train.synthesis.realism import report
from galaxy_edge_train.synthesis.writer import write
from tests.conftest import galaxy

SIZE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    images = [galaxy(seed, SIZE) for seed in range(120)]
    blurred = [
        np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2))) for image in images
    ]
    red = [image // np.array([1, 2, 2], np.uint8) for image in images]
    write(root / "Valid" / "Real" / "sky", images)
    write(root / "Train" / "Real" / "sky", [galaxy(seed, SIZE) for seed in range(500, 620)])
    for family, fakes in (("same", images), ("blurred", blurred), ("red", red)):
        write(root / "Valid" / "Fake" / family / "天 $x_$", fakes)
    report(root)
    return root


def test_each_fault_shows_in_its_own_measure(folder: Path):
    found = json.loads((folder / "realism.json").read_text())["against the real validation split"]
    assert set(found["same"].values()) == {0.0}
    training = found["real, training split"]
    assert 0 < training["power_spectrum_log10"] < 0.1
    assert found["blurred"]["power_spectrum_log10"] > 5 * training["power_spectrum_log10"]
    assert found["red"]["red_green"] > 0.9
    assert found["red"]["green_blue"] < 0.3
    assert found["blurred"]["concentration"] > found["same"]["concentration"]


def test_the_pictures_are_drawn_for_any_names(folder: Path):
    for name in ("realism.png", "contact_sheet.png"):
        with Image.open(folder / name) as image:
            assert min(image.size) > 300
