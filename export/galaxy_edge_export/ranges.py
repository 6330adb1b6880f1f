"""Find out which pixel values a model takes, from what it does to them first.

A model that begins with x / 255 takes pixels of 0 to 255, because only these become 0 to 1. A model
that begins with a convolution may take anything: nothing in it says how its author scaled the
images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from galaxy_edge.errors import UsageError
from galaxy_edge_export.config import InputRange

_ENDS: Mapping[InputRange, tuple[float, float]] = {
    "0..1": (0.0, 1.0),
    "0..255": (0.0, 255.0),
    "-1..1": (-1.0, 1.0),
}
#: Share of a range by which its ends may be missed: x / 256 and x / 128 - 1 count, too.
_TOLERANCE = 0.01
_SAME = frozenset({"Identity", "StopGradient", "Snapshot"})

_Numbers = npt.NDArray[np.float64]


def decide(image: Any, given: InputRange | None) -> InputRange:
    """Decide which range a model takes.

    Args:
        image: the input tensor of the traced model.
        given: what the user says; None to derive it.

    Raises:
        UsageError: nothing was given, and the model does not say.
    """
    found = given or derived(image)
    if found is None:
        raise UsageError(
            "the model does not say which pixel values it takes, because it begins with no "
            "rescaling of its own; say how its images were scaled in training: --input-range 0..1 "
            "(divided by 255, as ImageDataGenerator(rescale=1/255) does), --input-range 0..255 "
            "(not scaled) or --input-range -1..1 (divided by 127.5, minus 1)"
        )
    return found


def derived(image: Any) -> InputRange | None:
    """Derive the range from the steps that map it to another range, at the start of the model.

    Args:
        image: the input tensor of the traced model.

    Returns:
        The only range that fits; None if no step or several different ones say something.
    """
    factor, offset = np.ones(1), np.zeros(1)
    claims: set[InputRange] = set()
    tensor = image
    # A second reader would see the pixels without the step.
    while len(readers := tensor.consumers()) == 1:
        (step,) = readers
        if step.type == "Cast" and step.outputs[0].dtype.is_integer:
            # An integer type holds nothing between 0 and 1.
            return "0..255" if not claims and np.all(factor == 1) else None
        if step.type not in _SAME | {"Cast"}:
            affine = _affine(step, tensor)
            if affine is None:
                break
            factor, offset = factor * affine[0], offset * affine[0] + affine[1]
            claims |= _claims(factor, offset)
        tensor = step.outputs[0]
    return claims.pop() if len(claims) == 1 else None


def _claims(factor: _Numbers, offset: _Numbers) -> set[InputRange]:
    """The ranges that an affine map takes exactly to another one."""
    return {
        source
        for source in get_args(InputRange)
        for target in get_args(InputRange)
        if source != target and _maps(factor, offset, _ENDS[source], _ENDS[target])
    }


def _maps(
    factor: _Numbers, offset: _Numbers, source: tuple[float, float], target: tuple[float, float]
) -> bool:
    limit = _TOLERANCE * (target[1] - target[0])
    return all(
        bool(np.all(np.abs(factor * before + offset - after) <= limit))
        for before, after in zip(source, target, strict=True)
    )


def _affine(  # noqa: PLR0911 - one for each operator
    step: Any, tensor: Any
) -> tuple[_Numbers, _Numbers] | None:
    """Factor and offset of a step on a tensor; None if it is anything but affine."""
    inputs = list(step.inputs)
    if len(inputs) != 2:
        return None
    position = next(index for index, item in enumerate(inputs) if item is tensor)
    if (value := tf.get_static_value(inputs[1 - position])) is None:
        return None
    constant = np.asarray(value, np.float64)
    one, zero = np.ones(1), np.zeros(1)
    reverse = position == 1
    match step.type:
        case "Mul":
            return constant, zero
        case "RealDiv" | "Div" if not reverse and np.all(constant != 0):
            return 1 / constant, zero
        case "Add" | "AddV2" | "BiasAdd":
            return one, constant
        case "Sub":
            return (-one, constant) if reverse else (one, -constant)
        case _:
            return None
