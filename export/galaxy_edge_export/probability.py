"""Show that a model gives probabilities, or say what it gives instead.

The output is followed back through the model, with the interval that each operator can give. A
sigmoid gives 0 to 1, and so does the mean of two sigmoids; a dense layer can give anything. With
one number per class, the numbers must also be sure to add up to 1, as those of a softmax do, or of
the mean of several.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge_export.config import Activation
from galaxy_edge_export.traced import Traced

_Interval = tuple[float, float]
_ANY: _Interval = (-np.inf, np.inf)
_KNOWN: dict[str, _Interval] = {
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Relu6": (0.0, 6.0),
    "Relu": (0.0, np.inf),
    "Softplus": (0.0, np.inf),
    "Exp": (0.0, np.inf),
}
_SAME = frozenset({"Identity", "StopGradient", "Snapshot", "Cast", "Reshape", "Squeeze",
                   "ExpandDims", "Transpose"})  # fmt: skip
#: Operators whose results lie within the interval of their first input.
_WITHIN = _SAME | {"Mean", "Max", "Min", "MaxPool", "AvgPool", "Slice", "StridedSlice"}
_NAMES = {
    "Tanh": "tanh", "Relu": "relu", "Relu6": "relu6", "Softmax": "softmax", "Softplus": "softplus",
    "Softsign": "softsign", "Elu": "elu", "Selu": "selu", "LeakyRelu": "leaky_relu",
    "Exp": "exponential",
}  # fmt: skip


def check(traced: Traced, activation: Activation | None) -> None:
    """Refuse an output that is not a probability, unless the activation makes one of it.

    Args:
        traced: the model.
        activation: what is applied to its output; None for nothing.

    Raises:
        ModelError: the output may lie outside 0 to 1, or is always the same.
        UsageError: an activation was given, and the output is a probability already, or the
            activation makes none of it.
    """
    operator = _last_operator(traced.output)
    width = traced.output.shape[-1]
    if activation == ("softmax" if width == 1 else "sigmoid"):
        raise UsageError(
            "--activation softmax is for one number per class, and the model gives one for each "
            "image; use --activation sigmoid"
            if width == 1
            else "--activation sigmoid is for one number per image: the probabilities of several "
            "classes must add up to 1; use --activation softmax"
        )
    if operator.type == "Softmax" and operator.inputs[0].shape[-1] == 1:
        raise ModelError(
            "the model ends in softmax over one unit, which is 1 for every image; its last layer "
            'must be Dense(1, activation="sigmoid"), so train it again'
        )
    low, high = _interval(traced.output, {})
    # The mean of three sigmoids is at most 3 times 0.33333334.
    within = low >= 0 and high <= 1 + 1e-6
    probability = within
    if width > 1:
        total = _total(traced.output)
        # Float32 rounds the weights of a mean.
        probability = within and total is not None and abs(total - 1) < 1e-5
    name = _NAMES.get(operator.type) or traced.last or "linear"
    if activation is not None:
        if probability:
            raise UsageError(
                f"the model ends in {name} and gives probabilities already; leave out "
                f"--activation {activation}"
            )
    elif width > 1 and within and not probability:
        raise ModelError(
            f"the model ends in {name}, so its {width} numbers need not add up to 1, and an image "
            "could have several classes or none; export needs one class for each image: end the "
            f'model in Dense({width}, activation="softmax") and train it again'
        )
    elif not probability:
        fitting = "sigmoid" if width == 1 else "softmax"
        kind = "gives logits" if name == "linear" else "may give numbers outside 0 to 1"
        raise ModelError(
            f"the model ends in the activation {name}, so it {kind}, not probabilities; if its "
            f"output is a logit (trained with from_logits=True), add --activation {fitting}; "
            f'otherwise its last layer must be Dense({width}, activation="{fitting}")'
        )


def _last_operator(tensor: Any) -> Any:
    while tensor.op.type in _SAME:
        tensor = tensor.op.inputs[0]
    return tensor.op


def _total(tensor: Any) -> float | None:  # noqa: PLR0911 - one for each operator
    """What the numbers along the last axis add up to; None if that is not known."""
    operator, inputs = tensor.op, list(tensor.op.inputs)
    match operator.type:
        case "Softmax":
            return 1.0
        case "Identity" | "StopGradient" | "Snapshot" | "Cast":
            return _total(inputs[0])
        case "Reshape" | "Squeeze" | "ExpandDims":
            return _total(inputs[0]) if _same_width(tensor, inputs[:1]) else None
        case "Mean":
            axes = tf.get_static_value(inputs[1])
            last = (-1, inputs[0].shape.rank - 1)
            return None if axes is None or np.isin(axes, last).any() else _total(inputs[0])
        case "Pack":
            within = operator.get_attr("axis") not in (-1, tensor.shape.rank - 1)
            totals = [_total(item) for item in inputs]
            return totals[0] if within and len(set(totals)) == 1 else None
        case "Add" | "AddV2" | "AddN":
            # A single number is added to all others.
            alike = _same_width(tensor, inputs)
            totals = [_total(item) if alike else None for item in inputs]
            return None if None in totals else float(sum(filter(None, totals)))
        case "Mul" | "RealDiv":
            return _scaled(operator.type, inputs)
        case _:
            return None


def _same_width(tensor: Any, inputs: list[Any]) -> bool:
    """Whether the last axes of some tensors have the same size, which is known."""
    sizes = {item.shape[-1] if item.shape.rank else None for item in (tensor, *inputs)}
    return len(sizes) == 1 and None not in sizes


def _scaled(operator: str, inputs: list[Any]) -> float | None:
    values = [tf.get_static_value(item) for item in inputs]
    if values[0] is not None and operator == "Mul":
        values, inputs = values[::-1], inputs[::-1]
    total = _total(inputs[0])
    if total is None or values[1] is None or np.size(values[1]) != 1 or not np.any(values[1]):
        return None
    factor = float(np.ravel(values[1])[0])
    return total * factor if operator == "Mul" else total / factor


def _interval(tensor: Any, found: dict[str, _Interval]) -> _Interval:
    """Smallest and largest value that a tensor can have."""
    if tensor.name not in found:
        low, high = _computed(tensor.op, found)
        found[tensor.name] = _ANY if np.isnan(low) or np.isnan(high) else (low, high)
    return found[tensor.name]


def _computed(operator: Any, found: dict[str, _Interval]) -> _Interval:
    if operator.type in _KNOWN:
        return _KNOWN[operator.type]
    if operator.type == "Const":
        value = tf.get_static_value(operator.outputs[0])
        numeric = value is not None and np.asarray(value).dtype.kind in "fiu" and np.size(value)
        return (float(np.min(value)), float(np.max(value))) if numeric else _ANY
    if operator.type in _WITHIN:
        return _interval(operator.inputs[0], found)
    combine = _COMBINED.get(operator.type)
    if combine is None:
        return _ANY
    parts = [_interval(item, found) for item in operator.inputs]
    if operator.type == "ConcatV2":
        parts = parts[:-1]  # the last input is the axis
    with np.errstate(all="ignore"):
        return combine(parts)


def _sum(parts: list[_Interval]) -> _Interval:
    return sum(low for low, _ in parts), sum(high for _, high in parts)


def _corners(parts: list[_Interval], *, divide: bool) -> _Interval:
    one, other = parts
    if divide and other[0] <= 0 <= other[1]:
        return _ANY
    ends = [float(np.divide(a, b) if divide else np.multiply(a, b)) for a in one for b in other]
    return (float(np.min(ends)), float(np.max(ends)))


def _minimum(parts: list[_Interval]) -> _Interval:
    return min(low for low, _ in parts), min(high for _, high in parts)


def _maximum(parts: list[_Interval]) -> _Interval:
    return max(low for low, _ in parts), max(high for _, high in parts)


_COMBINED: dict[str, Callable[[list[_Interval]], _Interval]] = {
    "AddV2": _sum,
    "Add": _sum,
    "AddN": _sum,
    "BiasAdd": _sum,
    "Sub": lambda parts: (parts[0][0] - parts[1][1], parts[0][1] - parts[1][0]),
    "Mul": lambda parts: _corners(parts, divide=False),
    "RealDiv": lambda parts: _corners(parts, divide=True),
    "Minimum": _minimum,
    "Maximum": _maximum,
    "ClipByValue": lambda parts: _minimum([_maximum([parts[0], parts[1]]), parts[2]]),
    "ConcatV2": lambda parts: (min(p[0] for p in parts), max(p[1] for p in parts)),
    "Pack": lambda parts: (min(p[0] for p in parts), max(p[1] for p in parts)),
}
