"""Only probabilities are exported as scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from galaxy_edge import Predictor
from tests.galaxy_edge_export.networks import IMAGES, SIZE, image, saved, scaling, tail

Cli = Callable[..., tuple[int, str, str]]
OPTIONS = ("--image-size", SIZE, "--input-range", "0..1")


# Keras warns of a softmax over one unit.
@pytest.mark.filterwarnings("ignore:You are using a softmax")
@pytest.mark.parametrize(
    "activation",
    [None, "linear", "tanh", "relu", "softplus", "elu", "gelu", "softmax", "exponential"],
)
def test_an_output_that_is_no_probability_is_refused(
    activation: str | None, tmp_path: Path, cli: Cli
):
    saved(scaling(last=activation), tmp_path / "m.keras")
    code, out, err = cli("export", tmp_path / "m.keras", *OPTIONS)
    assert (code, out) == (3, "")
    assert activation or "linear" in err
    assert "sigmoid" in err
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("bias", [-30.0, 0.0, 200.0])
def test_a_sigmoid_can_be_added_to_logits(bias: float, tmp_path: Path, cli: Cli):
    model = scaling(last=None)
    weights, _ = model.layers[-1].get_weights()
    model.layers[-1].set_weights([weights, np.array([bias])])
    model.save(tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", *OPTIONS, "--activation", "sigmoid")
    assert code == 0, err
    predictor = Predictor(tmp_path / "m.onnx")
    logits = model.predict(IMAGES / np.float32(255), verbose=0)[:, 0].astype(np.float64)
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert predictor.manifest.training["activation"] == "sigmoid"
    assert "sigmoid was added" in err


def test_a_sigmoid_is_not_added_twice(bare: Path, cli: Cli, tmp_path: Path):
    code, _, err = cli(
        "export", bare, *OPTIONS, "--activation", "sigmoid", "-o", tmp_path / "m.onnx"
    )
    assert code == 2
    assert "leave out --activation" in err


def ensemble(parts: int) -> keras.Model:
    start = image()
    return keras.Model(start, layers.Average()([tail(start) for _ in range(parts)]))


def nested() -> keras.Model:
    start = image()
    return keras.Model(start, scaling()(start))


@pytest.mark.parametrize(
    "build",
    [
        lambda: ensemble(2),
        lambda: ensemble(3),
        nested,
        lambda: scaling(last="hard_sigmoid"),
        lambda: keras.Sequential([scaling(last="tanh"), layers.Rescaling(0.5, offset=0.5)]),
        lambda: keras.Sequential([scaling(last=None), layers.Activation("sigmoid")]),
    ],
    ids=["two", "three", "nested", "hard sigmoid", "tanh in 0..1", "own layer"],
)
def test_what_is_provably_a_probability_is_accepted(
    build: Callable[[], keras.Model], tmp_path: Path, cli: Cli
):
    saved(build(), tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", *OPTIONS, "-q")
    assert code == 0, err
