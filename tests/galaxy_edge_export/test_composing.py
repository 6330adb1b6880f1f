"""What is linear before the first nonlinear operator becomes one convolution, if it is one."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from galaxy_edge_export.composing import with_one_convolution
from galaxy_edge_export.convert import convert
from galaxy_edge_export.traced import trace
from galaxy_edge_train.config import NetworkConfig
from galaxy_edge_train.networks import build

Layer = Callable[[keras.KerasTensor], keras.KerasTensor]


def converted(model: keras.Model, size: int) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    # Moving variances must stay positive.
    model.set_weights(
        [
            rng.uniform(0.5, 1.5, one.shape) if one.ndim == 1 else rng.normal(0, 0.1, one.shape)
            for one in model.get_weights()
        ]
    )
    return convert(trace(model, size))


def network(size: int, *first: Layer) -> onnx.ModelProto:
    """A network with some layers before its first ReLU."""
    image = x = keras.Input((size, size, 3))
    for layer in first:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return converted(keras.Model(image, layers.Dense(1, activation="sigmoid")(x)), size)


def scores(model: onnx.ModelProto, size: int) -> np.ndarray:
    images = np.random.default_rng(1).integers(0, 256, (6, size, size, 3)).astype(np.uint8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"image": images})[0]


def convolutions(model: onnx.ModelProto) -> int:
    return sum(node.op_type in ("Conv", "ConvTranspose") for node in model.graph.node)


@pytest.mark.parametrize("size", [40, 41, 64])
def test_the_front_end_of_the_residual_network_is_one_convolution(size: int):
    before = converted(build(NetworkConfig("residual"), size), size)
    after = with_one_convolution(before)
    assert (convolutions(before), convolutions(after)) == (7, 4)
    weights = next(one for one in after.graph.initializer if one.name == "composed.weights")
    assert [*weights.dims] == [24, 3, 5, 5]
    np.testing.assert_allclose(scores(after, size), scores(before, size), atol=2e-6)
    assert np.ptp(scores(after, size)) > 0


def test_two_strided_convolutions_with_a_scale_between_are_one():
    first = (layers.Conv2D(16, 3, strides=2), layers.Rescaling(3.0, 0.5), layers.Conv2D(4, 3))
    before = network(32, *first)
    after = with_one_convolution(before)
    assert (convolutions(before), convolutions(after)) == (2, 1)
    np.testing.assert_allclose(scores(after, 32), scores(before, 32), atol=2e-6)


@pytest.mark.parametrize(
    "first",
    [
        (layers.Conv2D(4, 3), layers.ReLU(), layers.Conv2D(4, 3)),
        # The border of the second is filled with zeros, and not with what the first makes of one.
        (layers.Conv2D(4, 3), layers.Conv2D(4, 3, padding="same")),
        # One convolution would multiply more.
        (layers.Conv2D(1, 3), layers.Conv2D(64, 3)),
        (layers.Conv2D(4, 3), layers.MaxPooling2D(), layers.Conv2D(4, 3)),
        (layers.Conv2D(4, 3),),
    ],
    ids=["nonlinear", "border", "dearer", "pool", "single"],
)
def test_anything_else_stays_as_it_is(first: tuple[Layer, ...]):
    before = network(32, *first)
    assert with_one_convolution(before) == before


def test_an_enlargement_is_no_convolution():
    before = network(32, layers.Conv2DTranspose(3, 3, strides=2), layers.Conv2D(4, 3))
    assert with_one_convolution(before) == before
