"""Bring the configuration of a model of Keras 2 to a form that Keras 3 loads.

Keras 3 refuses arguments of layers that it has dropped, even where they hold the only value that it
supports. Each rewrite here drops or renames such an argument and changes no computation. What the
rewrites do not cover stays refused.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

_MODULES = {
    "keras.src.engine.functional": "keras.src.models.functional",
    "keras.src.engine.sequential": "keras",
    "keras.src.engine.training": "keras",
}
_INNER = ("Functional", "Model", "Sequential")
#: Scale and offset of operations with a number y.
_OPERATIONS: dict[str, Callable[[float], tuple[float, float]]] = {
    "math.truediv": lambda y: (1 / y, 0.0),
    "math.divide": lambda y: (1 / y, 0.0),
    "math.multiply": lambda y: (y, 0.0),
    "math.subtract": lambda y: (1.0, -y),
    "math.add": lambda y: (1.0, y),
    "__operators__.add": lambda y: (1.0, y),
}


def modernised(node: Any) -> Any:
    """Rewrite a configuration, at any depth.

    Args:
        node: parsed JSON.

    Returns:
        A new configuration, equal to the argument if Keras 3 wrote it.
    """
    if isinstance(node, list):
        return [modernised(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = _without_operations({name: modernised(value) for name, value in node.items()})
    if isinstance(module := result.get("module"), str):
        result["module"] = _MODULES.get(module, module)
    if isinstance(config := result.get("config"), dict):
        result["config"] = _arguments(str(result.get("class_name")), config)
    return result


def _without_operations(layer: dict[str, Any]) -> dict[str, Any]:
    """Replace arithmetic with one number, as in ``x / 127.5``, by the layer Rescaling."""
    if layer.get("class_name") != "TFOpLambda":
        return layer
    try:
        (inbound,) = layer["inbound_nodes"]
        *source, arguments = inbound
        number = float(arguments["y"])
        scale, offset = _OPERATIONS[layer["config"]["function"]](number)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return layer
    config = {"name": layer["config"]["name"], "dtype": "float32", "scale": scale, "offset": offset}
    return {
        "module": "keras.layers",
        "class_name": "Rescaling",
        "config": config,
        "registered_name": None,
        "name": layer["name"],
        "inbound_nodes": [[[*source, {}]]],
    }


def _arguments(layer: str, config: dict[str, Any]) -> dict[str, Any]:
    result = dict(config)
    without_groups = layer.startswith(("Depthwise", "Separable")) or layer.endswith("Transpose")
    if without_groups and result.get("groups") == 1:
        del result["groups"]
    if layer.startswith("Separable"):
        # Keras 2 writes these, but uses those of the depthwise and the pointwise part.
        for name in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            result.pop(name, None)
    if layer in ("Functional", "Model"):
        for name in ("input_layers", "output_layers"):
            # A list of one tensor would make the model return a list.
            found = result.get(name)
            if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
                result[name] = found[0]
        result = _with_calls_from_zero(result)
    axis = result.get("axis")
    if layer == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        result["axis"] = axis[0]
    for name, value in result.items():
        # Initial values are overwritten by the stored weights.
        if name.endswith("_initializer") and isinstance(value, dict):
            inner = value.get("config")
            if isinstance(inner, dict):
                kept = {key: item for key, item in inner.items() if key != "dtype"}
                result[name] = value | {"config": kept}
    if layer == "Sequential" and isinstance(layers := result.get("layers"), list):
        result["layers"] = _with_input(layers)
    return result


def _with_calls_from_zero(config: dict[str, Any]) -> dict[str, Any]:
    """Number the calls of inner models from 0; for Keras 2, call 0 is where they were built."""
    listed = config.get("layers")
    layers = [x for x in (listed if isinstance(listed, list) else []) if isinstance(x, dict)]
    models = {str(layer.get("name")) for layer in layers if layer.get("class_name") in _INNER}
    places = [config.get("output_layers"), *(layer.get("inbound_nodes") for layer in layers)]
    calls: dict[str, set[int]] = {}
    for reference in _references(places, models):
        calls.setdefault(reference[0], set()).add(reference[1])
    for reference in _references(places, models):
        reference[1] = sorted(calls[reference[0]]).index(reference[1])
    return config


def _references(node: Any, models: set[str]) -> list[list[Any]]:
    """The lists [layer, call, tensor, ...] that name one of some models, at any depth."""
    if not isinstance(node, list):
        return []
    if (
        len(node) >= 3
        and isinstance(node[0], str)
        and node[0] in models
        and isinstance(node[1], int)
    ):
        return [node]
    return [found for item in node for found in _references(item, models)]


def _with_input(layers: list[Any]) -> list[Any]:
    """Replace the shape that Keras 2 gives the first layer by an input layer."""
    result = []
    for index, layer in enumerate(layers):
        config = layer.get("config") if isinstance(layer, dict) else None
        if (
            isinstance(config, dict)
            and layer.get("class_name") != "InputLayer"
            and "batch_input_shape" in config
        ):
            shape = config["batch_input_shape"]
            rest = {name: value for name, value in config.items() if name != "batch_input_shape"}
            if index == 0:
                first = {"batch_shape": shape, "dtype": "float32", "name": "image"}
                result.append({"module": "keras.layers", "class_name": "InputLayer",
                               "config": first, "registered_name": None})  # fmt: skip
            layer = layer | {"config": rest}  # noqa: PLW2901 - the layer, rewritten
        result.append(layer)
    return result


def write_modernised(source: Path, architecture: Any, target: Path) -> None:
    """Copy a model file with another configuration.

    Args:
        source: a Keras archive or an HDF5 file.
        architecture: the configuration to write.
        target: where to write the copy.
    """
    text = json.dumps(architecture)
    if not zipfile.is_zipfile(source):
        shutil.copyfile(source, target)
        target.chmod(0o600)
        with h5py.File(target, "r+") as file:
            file.attrs["model_config"] = text
        return
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name == "config.json" else old.read(name))
