"""Which file a model's name stands for."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from galaxy_edge import Predictor
from galaxy_edge.engine.opening import MODELS, located, portable

ROOT = Path(__file__).parents[3]
BUNDLED = ("galaxy-edge", "documented")


def test_a_bundled_model_has_a_name_unless_a_file_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located(None) == MODELS / "galaxy-edge.onnx"
    assert located("documented") == located(Path("documented")) == MODELS / "documented.onnx"
    for other in ("documented.onnx", "./x/documented", "galaxy-edge"):
        assert located(other) == tmp_path / other
    Path("documented").write_text("mine")
    assert located("documented") == tmp_path / "documented"


def test_a_pickle_finds_the_models_of_its_own_installation(tmp_path):
    assert portable(located(None)) is None
    assert portable(MODELS / "documented.onnx") == "documented"
    assert portable(tmp_path / "m.onnx") == tmp_path / "m.onnx"


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_model_has_a_card_and_knows_its_examples(name):
    predictor = Predictor(None if name == "galaxy-edge" else name)
    again = pickle.loads(pickle.dumps(predictor))
    assert (again.name, again.sha256) == (f"{name}.onnx", predictor.sha256)
    assert (MODELS / f"{name}.md").read_text().count(f"\n# Model card: {name}.onnx\n") == 1
    known = predictor.predict(ROOT / "examples" / "gan_0.png")
    assert (known.status, known.label) == ("ok", "Fake")
    noise = predictor.predict(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8))
    blank = predictor.predict(np.zeros((150, 150, 3), np.uint8))
    assert {noise.status, blank.status} == {"out_of_distribution"}
    assert (noise.label, blank.label) == (None, None)
