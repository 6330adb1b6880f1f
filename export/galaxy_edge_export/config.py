"""The settings of an export, with their defaults.

The command line takes its defaults from here, so this module must import nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

#: Of two classes: a score above it is a positive verdict.
THRESHOLD = 0.5

#: The pixel values that a Keras model takes, as its author scales the images before the call.
InputRange: TypeAlias = Literal["0..1", "0..255", "-1..1"]
#: What makes a score of the output of a model that gives none.
Activation: TypeAlias = Literal["sigmoid", "softmax"]

Target: TypeAlias = Literal["vnni", "avx2", "arm64"]
#: Whether a target needs weights in 7 bits: x86 without VNNI adds products in 16 bits, which
#: saturate.
TARGETS: dict[Target, bool] = {"vnni": False, "avx2": True, "arm64": False}


@dataclass(frozen=True, slots=True)
class Limits:
    """What quantisation may cost, on the validation set.

    Attributes:
        accuracy_drop: largest drop, percentage points.
        flips: largest share of verdicts that change, percent.
        auc_drop: largest drop, absolute.
        speedup: smallest speed relative to the float file, on this machine, both for one image and
            for a batch.
    """

    accuracy_drop: float = 0.2
    flips: float = 0.5
    auc_drop: float = 0.002
    speedup: float = 1.0


@dataclass(frozen=True, slots=True)
class Quantization:
    """How to quantise.

    Attributes:
        data: labelled folders; None uses the images of the run.
        calibration_images: number of training images to calibrate on.
        seed: for choosing the calibration images.
        limits: what quantisation may cost.
        target: processors to quantise for (`TARGETS`); None means all.
        portable: leave the layers as converted, in the layout that other execution providers
            support.
        dense_bits: bits of the weights of dense layers, 8 or 4.
    """

    data: Path | None = None
    calibration_images: int = 512
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    target: Target | None = None
    portable: bool = False
    dense_bits: int = 8
