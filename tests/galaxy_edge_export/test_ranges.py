"""The exported file scores as Keras does when its author calls it, in any range of pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from keras.applications.imagenet_utils import preprocess_input

from galaxy_edge import Predictor
from galaxy_edge_export import ranges
from galaxy_edge_export.traced import trace
from tests.conftest import make_data
from tests.galaxy_edge_export.networks import IMAGES, SIZE, image, saved, scaling, tail
from tests.galaxy_edge_export.test_export import LENIENT

Cli = Callable[..., tuple[int, str, str]]
#: The images in each range, written as a user would write it.
CALLED = {
    "0..1": IMAGES / np.float32(255),
    "0..255": IMAGES.astype(np.float32),
    "-1..1": IMAGES.astype(np.float32) / 127.5 - 1,
}


def with_operations(prepare: Callable[[keras.KerasTensor], keras.KerasTensor]) -> keras.Model:
    start = image()
    return keras.Model(start, tail(prepare(start)))


def rescales_twice() -> keras.Model:
    inner = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 127.5, -1)])
    return scaling(keras.Sequential([layers.Rescaling(255.0), inner]))


SHOWN = {
    "mobilenet_v2": (lambda: with_operations(lambda x: preprocess_input(x, mode="tf")), "0..255"),
    "resnet in torch": (
        lambda: with_operations(lambda x: preprocess_input(x, mode="torch")), "0..255",
    ),
    "1/255": (lambda: scaling(layers.Rescaling(1 / 255)), "0..255"),
    "1/256": (lambda: scaling(layers.Rescaling(1 / 256)), "0..255"),
    "times 2, minus 1": (lambda: scaling(layers.Rescaling(2.0, offset=-1)), "0..1"),
    "half, plus half": (lambda: scaling(layers.Rescaling(0.5, offset=0.5)), "-1..1"),
    "255, then 1/127.5": (rescales_twice, "0..1"),
    "by hand": (lambda: with_operations(lambda x: (x - 127.5) / 127.5), "0..255"),
}  # fmt: skip
OPEN = {
    "nothing": scaling,
    "image statistics": lambda: scaling(
        layers.Normalization(mean=[123.7, 116.8, 103.9], variance=[3400.0, 3300.0, 3300.0])
    ),
    "a factor": lambda: scaling(layers.Rescaling(0.1)),
    "two readers": lambda: with_operations(lambda x: layers.Concatenate()([x / 255, x])),
    "after a convolution": lambda: with_operations(lambda x: layers.Conv2D(3, 1)(x) / 255),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_model_that_rescales_scores_as_its_author_calls_it(name: str, tmp_path: Path, cli: Cli):
    build, expected = SHOWN[name]
    model = saved(build(), tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", "--image-size", SIZE)
    assert code == 0, err
    assert f"takes pixels of {expected} (found in the model)" in err
    predictor = Predictor(tmp_path / "m.onnx")
    assert predictor.manifest.training["input_range"] == expected
    scores = model.predict(CALLED[expected], verbose=0)[:, 0]
    assert np.ptp(scores) > 1e-3
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], scores, atol=1e-5)


@pytest.mark.parametrize("name", OPEN)
def test_a_range_that_the_model_leaves_open_is_asked_for(name: str, tmp_path: Path, cli: Cli):
    saved(OPEN[name](), tmp_path / "m.keras")
    code, out, err = cli("export", tmp_path / "m.keras", "--image-size", SIZE)
    assert (code, out) == (2, "")
    for choice in CALLED:
        assert f"--input-range {choice}" in err
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("chosen", CALLED)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ((), 1e-5),
        (("--half",), 5e-3),
        (("--quantize",), 0.02),
        (("--quantize", "--portable"), 0.02),
        (("--quantize", "--dense-bits", 4), 0.03),
    ],
)
def test_every_kind_of_file_is_right_in_every_range(
    chosen: str, padding: str, options: tuple[str, ...], limit: float, tmp_path: Path, cli: Cli
):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(8, 3, padding=padding, activation="relu"),
         layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(8, activation="relu"),
         layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip
    if chosen == "0..255":
        first = model.layers[0]
        first.set_weights([value / 255 for value in first.get_weights()])
    saved(model, tmp_path / "m.keras")
    if "--quantize" in options:
        options += ("--data", make_data(tmp_path / "data"), *LENIENT)
    code, _, err = cli(
        "export", tmp_path / "m.keras", "-o", tmp_path / "m.onnx", "--image-size", SIZE,
        "--input-range", chosen, *options,
    )  # fmt: skip
    assert code == 0, err
    assert f"takes pixels of {chosen} (as given)" in err
    predictor = Predictor(tmp_path / "m.onnx")
    assert predictor.manifest.training["input_range"] == chosen
    scores = model.predict(CALLED[chosen], verbose=0)[:, 0]
    np.testing.assert_allclose(predictor.scores(IMAGES)[:, 1], scores, atol=limit)


def test_a_range_that_contradicts_the_model_is_used_with_a_warning(tmp_path: Path, cli: Cli):
    model = saved(scaling(layers.Rescaling(1 / 255)), tmp_path / "m.keras")
    code, _, err = cli(
        "export", tmp_path / "m.keras", "--image-size", SIZE, "--input-range", "0..1"
    )
    assert code == 0
    assert "careful: the model begins as one that takes pixels of 0..255" in err
    scores = model.predict(CALLED["0..1"], verbose=0)[:, 0]
    np.testing.assert_allclose(
        Predictor(tmp_path / "m.onnx").scores(IMAGES)[:, 1], scores, atol=1e-5
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.floats(-2, 2))
def test_only_maps_between_known_ranges_say_something(exponent: float, offset: float):
    factor = 10.0**exponent
    found = ranges._claims(np.array([factor]), np.array([offset]))
    for name in found:
        low, high = ranges._ENDS[name]
        ends = (low * factor + offset, high * factor + offset)
        assert any(
            np.allclose(ends, known, atol=0.011 * (known[1] - known[0]))
            for known in ranges._ENDS.values()
        )


def test_whole_number_inputs_take_bytes():
    keras.utils.set_random_seed(1)
    start = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    model = keras.Model(start, tail(layers.Rescaling(1 / 255)(start)))
    assert ranges.derived(trace(model, SIZE).image) == "0..255"
