"""Operators that tf2onnx lacks, and constants outside the variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from galaxy_edge import Predictor
from tests.galaxy_edge_export.networks import IMAGES, SIZE, dense, image, saved, scaling, tail

Cli = Callable[..., tuple[int, str, str]]
OPTIONS = ("--image-size", SIZE, "--input-range", "0..1")


def adapted() -> keras.Model:
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).random((10, SIZE, SIZE, 3)))
    return scaling(layer)


def reversed_colours() -> keras.Model:
    start = image()
    prepared = keras.applications.imagenet_utils.preprocess_input(start, mode="caffe")
    return keras.Model(start, tail(prepared / 128))


def branches() -> keras.Model:
    start = image()
    parts = [layers.Conv2D(3, size, padding="same")(start) for size in (1, 3)]
    return keras.Model(start, tail(layers.Concatenate()(parts)))


def pooled(pool: layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(8, 3, use_bias=False),
         layers.BatchNormalization(), layers.ReLU(), pool, layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip


@pytest.mark.parametrize(
    "build",
    [
        lambda: pooled(layers.GlobalAveragePooling2D()),
        lambda: pooled(layers.GlobalMaxPooling2D()),
        lambda: dense(layers.BatchNormalization(), layers.Dense(8), layers.BatchNormalization()),
        lambda: dense(layers.Dense(8, activation="gelu")),
        lambda: dense(layers.Dense(8), layers.Activation(keras.activations.silu)),
        lambda: scaling(layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3])),
        adapted,
        reversed_colours,
        branches,
    ],
    ids=[
        "global average pooling",
        "global maximum pooling",
        "batch normalisation",
        "gelu",
        "silu",
        "Normalization",
        "adapted",
        "reversed colours",
        "branches",
    ],
)
def test_it_is_exported_and_scores_as_keras_does(
    build: Callable[[], keras.Model], tmp_path: Path, cli: Cli
):
    model = saved(build(), tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", *OPTIONS, "-q")
    assert (code, err) == (0, "")
    expected = model.predict(IMAGES / np.float32(255), verbose=0)[:, 0]
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(
        Predictor(tmp_path / "m.onnx").scores(IMAGES)[:, 1], expected, atol=1e-5
    )


@pytest.mark.slow
def test_an_efficientnet_is_exported(tmp_path: Path, cli: Cli):
    keras.utils.set_random_seed(1)
    body = keras.applications.EfficientNetB0(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    keras.Sequential([body, layers.Dense(1, activation="sigmoid")]).save(tmp_path / "m.keras")
    code, _, err = cli("export", tmp_path / "m.keras", "--image-size", 32)
    assert code == 0, err
    assert "takes pixels of 0..255 (found in the model)" in err


def test_an_operator_that_cannot_be_converted_is_named(tmp_path: Path, cli: Cli):
    start = image()
    keras.Model(start, tail(keras.ops.erfinv(start * 0.5))).save(tmp_path / "m.keras")
    code, out, err = cli("export", tmp_path / "m.keras", *OPTIONS)
    assert (code, out) == (3, "")
    assert "Erfinv" in err
    assert "(in functional" in err.lower()
    assert "other layers" in err
    assert len(err.splitlines()) == 1
