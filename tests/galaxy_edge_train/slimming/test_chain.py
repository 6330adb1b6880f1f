"""What is removed from a network, and that the rest computes what it did."""

from __future__ import annotations

import numpy as np
import pytest

from galaxy_edge_train import networks
from galaxy_edge_train.config import NetworkConfig
from galaxy_edge_train.slimming.chain import Chain

SIZE = 24
KINDS = [("documented", 2), ("documented", 3), ("compact", 2), ("residual", 2), ("residual", 3)]


def chain(kind: str, classes: int = 2) -> Chain:
    return Chain.of(networks.build(NetworkConfig(kind), SIZE, classes))


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((6, SIZE, SIZE, 3), dtype=np.float32)


def ignore(layer, channels: int, out: np.ndarray) -> None:
    """Make a layer take nothing from some of the channels before it."""
    weights = layer.get_weights()
    kernel = weights[0]
    by_channel = kernel if kernel.ndim == 4 else kernel.reshape(1, -1, channels, kernel.shape[-1])
    by_channel[:, :, out] = 0
    layer.set_weights([by_channel.reshape(kernel.shape), *weights[1:]])


@pytest.mark.parametrize(("kind", "classes"), KINDS)
def test_without_filters_the_scores_are_those_without_their_weights(kind: str, classes: int):
    whole = chain(kind, classes)
    for (
        layer
    ) in whole.model.layers:  # as after a training: no channel of a normalisation is like another
        if "batch_normalization" in layer.name:
            rng = np.random.default_rng(1)
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    keep = whole.least_useful(whole.usefulness([images()]), 0.4)
    smaller = whole.only(keep)
    assert Chain.of(smaller).widths == tuple(map(len, keep)) != whole.widths
    assert Chain.of(smaller).multiplications <= 0.6 * whole.multiplications
    for taker, width, kept in zip(whole.layers[1:], whole.widths, keep, strict=True):
        ignore(taker, width, np.setdiff1d(np.arange(width), kept))
    expected = whole.model.predict(images(2), verbose=0)
    np.testing.assert_allclose(smaller.predict(images(2), verbose=0), expected, atol=1e-5)
    assert np.ptp(expected) > 1e-4


@pytest.mark.parametrize("kind", ["documented", "compact", "residual"])
def test_what_contributes_nothing_goes_first(kind: str):
    whole = chain(kind)
    number = len(whole.widths) - 1
    idle = np.arange(0, whole.widths[number], 2)
    ignore(whole.layers[number + 1], whole.widths[number], idle)
    useful = whole.usefulness([images(), images(1)])
    assert np.all(useful[number][idle] == 0)
    assert np.delete(useful[number], idle).max() > 0
    assert [each.sum() for each in useful] == pytest.approx([1.0] * len(useful))
    keep = whole.least_useful(useful, 1e-6)
    # The last layer has enough of these; another may have some of its own.
    (removed,) = [
        values[np.setdiff1d(np.arange(len(values)), kept)]
        for values, kept in zip(useful, keep, strict=True)
        if len(kept) < len(values)
    ]
    assert len(removed) == 8
    assert np.all(removed == 0)


def test_a_filter_without_a_signal_is_useless():
    whole = chain("documented")
    kernel, bias = whole.layers[0].get_weights()
    kernel[..., 5] = bias[5] = 0
    whole.layers[0].set_weights([kernel, bias])
    useful = whole.usefulness([images()])[0]
    assert useful.argmin() == 5
    assert useful[5] == 0


def test_enough_filters_stay_for_fast_kernels():
    whole = chain("residual")
    keep = None
    for share in np.arange(0.02, 1, 0.02):
        found = whole.least_useful(whole.usefulness([images()]), share)
        keep = found or keep
    assert found is None  # nearly everything cannot go
    assert [len(each) for each in keep[:4]] == [16, 16, 16, 16]
