"""Models that compute in another precision are exported in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from galaxy_edge import Predictor
from galaxy_edge_export import precision
from tests.galaxy_edge_export.networks import IMAGES, SIZE, dense, image, saved, tail

Cli = Callable[..., tuple[int, str, str]]


def nested() -> keras.Model:
    start = image()
    inner = keras.Sequential([layers.Conv2D(3, 3, activation="relu")])
    return keras.Model(start, tail(keras.ops.relu(inner(start)) * 2))


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "float16", "mixed_bfloat16", "bfloat16", "float64"]
)
@pytest.mark.parametrize("build", [lambda: dense(layers.Dense(8, activation="relu")), nested])
def test_it_is_exported_in_float32_with_a_note(
    policy: str, build: Callable[[], keras.Model], tmp_path: Path, cli: Cli
):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = saved(build(), tmp_path / "m.keras")
    finally:
        keras.config.set_dtype_policy(before)
    code, _, err = cli(
        "export", tmp_path / "m.keras", "--image-size", SIZE, "--input-range", "0..1"
    )
    assert code == 0, err
    kind = policy.removeprefix("mixed_")
    assert f"computes this model in {kind}; the file computes in float32" in err
    predictor = Predictor(tmp_path / "m.onnx")
    assert predictor.manifest.training["computed_in"] == kind
    scores = np.asarray(model.predict(IMAGES / np.float32(255), verbose=0)).astype(np.float32)
    np.testing.assert_allclose(
        predictor.scores(IMAGES)[:, 1], scores[:, 0], atol=precision.LIMITS[kind]
    )


def test_a_float32_model_is_left_alone(bare: Path):
    model = keras.saving.load_model(bare)
    assert precision.in_float32(model) is model
