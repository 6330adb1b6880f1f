"""Only probabilities are exported as scores."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from galaxy_edge import Predictor
from galaxy_edge.errors import ModelError
from galaxy_edge_export import probability
from galaxy_edge_export.traced import trace
from tests.conftest import make_data
from tests.galaxy_edge_export.networks import IMAGES, SIZE, image, saved, scaling, tail
from tests.galaxy_edge_export.test_export import LENIENT

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


def softmax(width: int = 3) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    return layers.Dense(width, activation="softmax")


def heads(mean: Callable[..., keras.KerasTensor]) -> keras.Model:
    """The mean of two softmax heads on one body."""
    start = image()
    body = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(start))
    return keras.Model(start, mean(softmax()(body), softmax()(body)))


def over_positions() -> keras.Model:
    start = image()
    body = layers.Conv2D(3, 3, activation="softmax")(start)
    return keras.Model(start, layers.GlobalAveragePooling2D()(body))


WHOLE = {
    "Average": lambda: heads(lambda a, b: layers.Average()([a, b])),
    "weighted": lambda: heads(lambda a, b: 0.25 * a + b * 0.75),
    "divided": lambda: heads(lambda a, b: (a + b) / 2.0),
    "stacked": lambda: heads(lambda a, b: keras.ops.mean(keras.ops.stack([a, b]), axis=0)),
    "over positions": over_positions,
    "reshaped": lambda: heads(lambda a, b: layers.Reshape((3,))(layers.Reshape((1, 3))(a))),
}
PARTLY = {
    "a sum of 2": lambda: heads(lambda a, b: a + b),
    "a product": lambda: heads(lambda a, b: a * b),
    "weights by class": lambda: heads(lambda a, b: a * np.float32([0.5, 1.0, 0.5])),
    "a mean with a sigmoid": lambda: heads(
        lambda a, b: layers.Average()([a, layers.Activation("sigmoid")(b)])
    ),
    "the largest": lambda: heads(lambda a, b: layers.Maximum()([a, b])),
    "a mean of classes": lambda: heads(
        lambda a, b: layers.Dense(3)(keras.ops.mean(a, axis=-1, keepdims=True) + 0 * b)
    ),
    "with one number": lambda: heads(lambda a, b: (a + softmax(1)(b)) / 2.0),
}


def refusal(build: Callable[[], keras.Model]) -> str:
    # Keras warns of a softmax over one unit.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            probability.check(trace(build(), SIZE), None)
        except ModelError as error:
            return str(error)
    return ""


@pytest.mark.parametrize("name", WHOLE)
def test_a_mean_of_softmax_outputs_is_a_probability(name: str):
    assert refusal(WHOLE[name]) == ""
    scores = WHOLE[name]().predict(IMAGES / np.float32(255), verbose=0)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", PARTLY)
def test_what_need_not_add_up_to_one_is_refused(name: str):
    assert "the model ends in" in refusal(PARTLY[name])


def towers(last: Callable[[], layers.Layer]) -> keras.Model:
    """An ensemble of two networks with nothing in common but the image."""
    keras.utils.set_random_seed(1)
    start = image()
    pixels = layers.Rescaling(1 / 255)(start)
    parts = []
    for _ in range(2):
        tensor = layers.Conv2D(8, 3, activation="relu")(pixels)
        tensor = layers.Flatten()(layers.MaxPooling2D(2)(tensor))
        parts.append(last()(layers.Dense(8, activation="relu")(tensor)))
    return keras.Model(start, layers.Average()(parts))


@pytest.mark.parametrize(
    ("options", "limit"),
    [((), 1e-5), (("--half",), 5e-3), (("--quantize",), 0.02), (("--quantize", "--portable"), 0.02),
     (("--quantize", "--dense-bits", 4), 0.04)],
)  # fmt: skip
def test_an_ensemble_is_exported_with_every_last_layer_in_float(
    options: tuple[str, ...], limit: float, tmp_path: Path, cli: Cli
):
    model = saved(towers(lambda: layers.Dense(1, "sigmoid")), tmp_path / "m.keras")
    if "--quantize" in options:
        options += ("--data", make_data(tmp_path / "data"), *LENIENT)
    path = tmp_path / "m.onnx"
    code, _, err = cli("export", tmp_path / "m.keras", "-o", path, *options)
    assert code == 0, err
    predictor = Predictor(path)
    expected = model.predict(IMAGES.astype(np.float32), verbose=0)[:, 0]
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], expected, atol=limit)
    kept = {item.name: item.data_type for item in onnx.load(path).graph.initializer}
    lasts = {f"gemm_{n}.weight": onnx.TensorProto.FLOAT for n in (2, 4)}
    assert lasts.items() <= kept.items()
    if "--quantize" in options:
        found = predictor.manifest.quantization
        assert found["float_layers"].keys() == {"gemm_2", "gemm_4"}
        assert found["layers"].keys() == {"conv_1", "conv_2", "gemm_1", "gemm_3"}


def test_an_ensemble_of_three_classes_scores_as_its_mean(tmp_path: Path, cli: Cli):
    model = saved(towers(softmax), tmp_path / "m.keras")
    code, out, err = cli("export", tmp_path / "m.keras", "--classes", "a,b,c", "-q")
    assert (code, err) == (0, "")
    expected = model.predict(IMAGES.astype(np.float32), verbose=0)
    np.testing.assert_allclose(Predictor(out.strip()).scores(IMAGES), expected, atol=1e-5)
