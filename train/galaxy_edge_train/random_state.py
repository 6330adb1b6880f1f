"""The state of a network's random generators, which its Keras file does not store."""

from __future__ import annotations

import keras
import numpy as np


def keras_in_use() -> str:
    """Backend and version of Keras. The same seed gives different numbers with different ones."""
    return f"{keras.backend.backend()}, Keras {keras.__version__}"


def generator_states(model: keras.Model) -> tuple[tuple[int, ...], ...]:
    """The states of the layers' random generators, in layer order."""
    return tuple(
        tuple(int(number) for number in keras.ops.convert_to_numpy(generator.state))
        for generator in _generators(model)
    )


def restore_generators(model: keras.Model, states: tuple[tuple[int, ...], ...]) -> None:
    """Set the layers' random generators to earlier states, so that dropout continues exactly."""
    for generator, state in zip(_generators(model), states, strict=True):
        generator.state.assign(np.array(state, dtype=generator.state.dtype))


def _generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    # A Dropout with rate 0 has no generator.
    return [
        layer.seed_generator
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0
    ]
