"""Compute a model in float32 that computes in fewer or more bits."""

from __future__ import annotations

from typing import Any

import keras

from galaxy_edge.errors import ModelError

#: Largest difference of a score from the model in its own precision, by that precision. float16
#: has 11 significant bits and bfloat16 has 8; the limit of bfloat16 is larger by the ratio.
LIMITS = {"float16": 5e-3, "bfloat16": 4e-2, "float64": 1e-5}


def computes_in(model: keras.Model) -> str:
    """The least precise type in which a layer computes, "float32" for none but that."""
    found = {layer.compute_dtype for layer in _layers(model)}
    return next((name for name in ("bfloat16", "float16", "float64") if name in found), "float32")


def in_float32(model: keras.Model) -> keras.Model:
    """Rebuild a model with the same weights so that every layer computes in float32.

    Models of ``mixed_float16`` store their weights in float32, so nothing is lost.

    Returns:
        The same model if it computes in float32 already.

    Raises:
        ModelError: the model cannot be rebuilt.
    """
    kind = computes_in(model)
    if kind == "float32":
        return model
    try:
        config = _replaced(keras.saving.serialize_keras_object(model))
        result = keras.saving.deserialize_keras_object(config, safe_mode=True)
        result.set_weights(model.get_weights())
    except Exception as error:  # Keras raises many classes
        raise ModelError(
            f"the model computes in {kind} and cannot be rebuilt in float32; set the dtype policy "
            "float32 before you build it, copy the weights with set_weights, and save that"
        ) from error
    return result


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [
        inner
        for layer in model.layers
        for inner in (_layers(layer) if isinstance(layer, keras.Model) else [layer])
    ]


def _replaced(node: Any) -> Any:
    """The configuration with float32 for every policy and type of another precision."""
    if isinstance(node, list | tuple):
        return [_replaced(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {name: _replaced(value) for name, value in node.items()}
    for name in ("dtype", "dtype_policy"):
        if isinstance(value := result.get(name), str) and value.removeprefix("mixed_") in LIMITS:
            result[name] = "float32"
    if node.get("class_name") == "DTypePolicy":
        result["config"] = {"name": "float32"}
    return result
