from __future__ import annotations

import keras

from galaxy_edge_train.config import NetworkConfig
from galaxy_edge_train.networks import build


def test_the_network_has_the_documented_number_of_parameters():
    assert build(NetworkConfig(), 150).count_params() == 10_636_481


def test_the_layers_are_the_documented_ones_in_order():
    layers = build(NetworkConfig(), 150).layers
    conv1, pool1, conv2, pool2, flatten, dense, dropout, last = layers
    assert [type(layer) for layer in layers] == [
        keras.layers.Conv2D,
        keras.layers.MaxPooling2D,
        keras.layers.Conv2D,
        keras.layers.MaxPooling2D,
        keras.layers.Flatten,
        keras.layers.Dense,
        keras.layers.Dropout,
        keras.layers.Dense,
    ]
    assert (conv1.filters, conv1.kernel_size, conv2.filters, conv2.kernel_size) == (
        32, (3, 3), 64, (3, 3),
    )  # fmt: skip
    assert pool1.pool_size == pool2.pool_size == (2, 2)
    assert flatten.output.shape == (None, 36 * 36 * 64)
    assert (dense.units, dropout.rate, last.units) == (128, 0.5, 1)
    activations = [layer.activation.__name__ for layer in (conv1, conv2, dense, last)]
    assert activations == ["relu", "relu", "relu", "sigmoid"]
