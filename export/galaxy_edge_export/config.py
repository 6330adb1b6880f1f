"""The settings of an export, with their defaults.

The command line takes its defaults from here, so this module must import nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
        calibration_images: number of training images to calibrate on.
        seed: for choosing the calibration images.
        limits: what quantisation may cost.
        target: processors to quantise for (`TARGETS`); None means all.
        portable: leave the layers as converted, in the layout that other execution providers
            support.
        dense_bits: bits of the weights of dense layers, 8 or 4.
    """

    calibration_images: int = 512
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    target: Target | None = None
    portable: bool = False
    dense_bits: int = 8


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """When the file gives no label.

    Attributes:
        typicality: compute it, if there are images to fit it to.
        ood_limit: a typicality below it is out of distribution; None for no limit.
        open_class: the one of two classes that has kinds which nobody has trained on; see
            `galaxy_edge.manifest.DecisionRule.open_class`.
        abstain_error: leave so many scores uncertain that at most this share of the labels is
            wrong on the validation images; None to leave none.
    """

    typicality: bool = True
    ood_limit: float | None = 0.01
    open_class: str | None = None
    abstain_error: float | None = None

    @property
    def needs_images(self) -> bool:
        """Whether the rule cannot be followed without images."""
        return self.open_class is not None or self.abstain_error is not None
