"""Labelled folders of FITS images, from training to the model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from galaxy_edge import Predictor
from galaxy_edge.inputs.images import read
from galaxy_edge.inputs.preprocessing import Stretch
from tests.conftest import TINY, galaxy_edge_in_process, make_data


def test_fits_folders_can_be_trained_on_and_the_model_file_stores_their_stretch(tmp_path: Path):
    data = make_data(tmp_path / "data", train=4, valid=2)
    for png in sorted(data.rglob("*.png")):
        red, green, blue = (band.astype(np.float32) for band in np.asarray(read(png)).T)
        fits.writeto(png.with_suffix(".fits"), np.stack([red, green, blue]))
        png.unlink()
    options = ("--stretch", 30, "--minimum", 0, "--epochs", 1, "--augment", "none", "-q")
    run, model = tmp_path / "run", tmp_path / "m.onnx"
    assert galaxy_edge_in_process("train", data, "-o", run, *TINY, *options) == 0
    assert galaxy_edge_in_process("export", run, "-o", model, "-q") == 0
    predictor = Predictor(model)
    assert predictor.preprocessing.stretch == Stretch(minimum=0.0, stretch=30.0)
    assert predictor.predict(next(data.rglob("*.fits"))).status == "ok"
