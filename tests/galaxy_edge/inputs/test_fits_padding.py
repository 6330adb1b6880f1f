from __future__ import annotations

import numpy as np
import pytest

from galaxy_edge.inputs.padding import padding
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge.inputs.stretch import colour

Y, X = np.mgrid[:80, :80]
RADIUS = np.hypot(X - 45, Y - 40)


def noisy(sky: float = 0.0) -> np.ndarray:
    """A galaxy on a noisy sky, float32."""
    noise = np.random.default_rng(3).normal(0, 2, X.shape)
    return (300 * np.exp(-RADIUS / 4) + sky + noise).astype(np.float32)


SHAPES = {
    "strip": Y < 20,
    "two sides": (Y < 10) | (X > 65),
    "triangle": X * 0.6 + Y < 30,
    "rotated frame": np.maximum(np.abs(X + Y - 80), np.abs(X - Y)) > 55,
    "frame": (np.abs(X - 40) > 30) | (np.abs(Y - 40) > 30),
}


@pytest.mark.parametrize("value", [0.0, -999.0])
@pytest.mark.parametrize("sky", [0.0, 1000.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_padding_is_not_sky(shape: str, sky: float, value: float):
    pad = SHAPES[shape]
    padded, missing = noisy(sky), noisy(sky)
    padded[pad], missing[pad] = value, np.nan
    found = padding(padded)
    assert found is not None
    np.testing.assert_array_equal(found, pad)
    image = colour(padded[None], Stretch())
    np.testing.assert_array_equal(image, colour(missing[None], Stretch()))
    assert (image[::-1][pad] == 0).all()


def test_each_band_has_its_own_padding():
    bands = np.stack([noisy(5.0), noisy(9.0), noisy(7.0)])
    missing = bands.copy()
    bands[1, :20], missing[1, :20] = 0, np.nan
    np.testing.assert_array_equal(colour(bands, Stretch()), colour(missing, Stretch()))


def natural() -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    drawn = 1000 * np.exp(-RADIUS / 5)
    cut = np.where(RADIUS < 20, drawn, 0)
    edge_on = np.hypot((X + Y - 85) / 40, (X - Y - 5) / 6)
    return {
        "drawn": drawn,
        "drawn and cut": cut,
        "drawn and cut, with a star": cut + np.where(np.hypot(X - 12, Y - 15) < 4, 500, 0),
        "edge-on": np.where(edge_on < 1, 100 * (1.01 - edge_on), 0),
        "whole numbers": np.round(drawn / 50),
        "whole numbers with noise": np.round(noisy() / 2),
        "photons": random.poisson(0.05 + drawn / 2000),
        "negative pixels set to zero": noisy().clip(0),
        "below a threshold set to zero": np.where(noisy() > 4, noisy(), 0),
        "one row of zeros": np.where(Y > 0, noisy(), 0),
        "constant": np.full(X.shape, 7.0),
        "8 bits": np.round(drawn / 5).clip(0, 255).astype(np.uint8) + 3,
    }


@pytest.mark.parametrize("kind", natural())
def test_a_natural_sky_is_not_padding(kind: str):
    assert padding(natural()[kind]) is None
    assert padding(natural()[kind][::-1, ::-1].T) is None
