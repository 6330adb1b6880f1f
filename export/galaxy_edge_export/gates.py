"""The quality gates that a file must pass before it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from galaxy_edge.decision import Decision, Probabilities
from galaxy_edge.engine.session import Session
from galaxy_edge.errors import GateError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export import grey
from galaxy_edge_export.config import Activation, InputRange, Limits
from galaxy_edge_export.network import Call
from galaxy_edge_export.pixels import scaled

#: Largest difference from its source that a float file may have.
PARITY = 1e-5
#: Largest difference from its source that an fp16 file may have. Its weights are rounded by up to
#: 1 / 2,048 of their value. The bundled model's network differed by at most 0.0017 on 256 drawn
#: galaxies and by at most 0.0009 on 2,000 validation images.
HALF_PARITY = 5e-3
PARITY_BATCHES = (1, 7, 32)

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cost:
    """What quantisation cost, on the validation set.

    Attributes:
        images: number of validation images.
        fp32_accuracy, int8_accuracy: percent.
        fp32_auc, int8_auc: 0 to 1; for more than two classes, the mean over the classes.
        flips: share of verdicts that changed, percent.
    """

    images: int
    fp32_accuracy: float
    int8_accuracy: float
    fp32_auc: float
    int8_auc: float
    flips: float

    @property
    def accuracy_drop(self) -> float:
        """Percentage points; negative if int8 is better."""
        return self.fp32_accuracy - self.int8_accuracy

    @property
    def auc_drop(self) -> float:
        """Absolute; negative if int8 is better."""
        return self.fp32_auc - self.int8_auc

    def document(self) -> dict[str, Any]:
        """The cost as JSON values for the manifest."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def source_scores(
    call: Call,
    images: Pixels,
    input_range: InputRange = "0..1",
    activation: Activation | None = None,
    channels: int = 3,
) -> Scores:
    """Score images with the model that is exported, called as its author would call it.

    Args:
        call: the model; maps float32 [N, size, size, channels] to [N, 1] or [N, C].
        images: uint8 [N, size, size, 3].
        input_range: the pixel values that the model takes.
        activation: what to apply to its output; None for nothing.
        channels: 3 for a model of RGB images, 1 for one of grey images.

    Returns:
        float32 [N, 1], P(positive), or [N, C] for three or more classes.
    """
    output = call(scaled(grey.for_channels(images, channels), input_range))
    scores: Scores = np.asarray(output).astype(np.float32)
    if activation == "softmax":
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    if activation == "sigmoid":
        # exp of a large number is infinite, which gives the right score, 0.
        with np.errstate(over="ignore"):
            scores = np.asarray(1 / (1 + np.exp(-scores)), np.float32)
    return scores[:, 1:] if scores.shape[1] == 2 else scores


def check_parity(
    score: Callable[[Pixels], Scores],
    session: Session,
    images: Pixels,
    limit: float | None = None,
    validation: Pixels | None = None,
    source: str = "Keras",
) -> float:
    """Compare a file with its source at batch sizes 1, 7 and 32.

    Args:
        score: scores uint8 [N, size, size, 3] with the source, float32 [N, 1] or [N, C].
        session: the exported file.
        images: uint8 [32 or more, size, size, 3].
        limit: largest difference allowed; None means `PARITY`.
        validation: more images, uint8 [N, size, size, 3], compared in batches of 32.
        source: what runs the source, for the message.

    Returns:
        The largest difference between two scores.

    Raises:
        GateError: a difference is above the limit.
    """
    limit = PARITY if limit is None else limit
    batches = [images[:size] for size in PARITY_BATCHES]
    size = max(PARITY_BATCHES)
    if validation is not None:
        # Batches of equal size: TensorFlow warns of a function that it traces for many sizes.
        batches += [validation[at : at + size] for at in range(0, len(validation), size)]
    worst = 0.0
    for batch in batches:
        expected = score(batch)
        # Of two classes, the last column is P(positive), the only number that the source gives.
        scores = session.run(batch).scores[:, -expected.shape[1] :]
        difference = float(np.max(np.abs(scores - expected)))
        # `not <=` because NaN must fail, too.
        if not difference <= limit:
            raise GateError(
                f"the exported file differs from {source} by {difference:.2e} at batch size "
                f"{len(batch)} (the limit is {limit:.0e}); nothing was written"
            )
        worst = max(worst, difference)
    return worst


def measure_cost(
    labels: npt.NDArray[np.uint8], fp32: Probabilities, int8: Probabilities, decision: Decision
) -> Cost:
    """Compare the scores of two files on one labelled set.

    Args:
        labels: [N], indices of classes; two or more must occur.
        fp32: scores of the float file, [N, C].
        int8: scores of the quantised file, [N, C].
        decision: which scores give which verdict.
    """
    before, after = decision.choose(fp32), decision.choose(int8)
    return Cost(
        images=len(labels),
        fp32_accuracy=100 * float(np.mean(before == labels)),
        int8_accuracy=100 * float(np.mean(after == labels)),
        fp32_auc=_auc(labels, fp32),
        int8_auc=_auc(labels, int8),
        flips=100 * float(np.mean(before != after)),
    )


def _auc(labels: npt.NDArray[np.uint8], scores: Probabilities) -> float:
    """For more than two classes, the mean over the classes, each against all others."""
    if scores.shape[1] == 2:
        return float(roc_auc_score(labels, scores[:, 1]))
    each = [roc_auc_score(labels == name, scores[:, name]) for name in np.unique(labels)]
    return float(np.mean(each))


def failures(cost: Cost, speedup: float, limits: Limits) -> list[str]:
    """List the limits that are exceeded, one phrase each; empty if the file may be written.

    Args:
        cost: the cost in quality.
        speedup: speed relative to the float file, the smaller value of one image and a batch.
        limits: what is allowed.
    """
    measured = (
        ("the accuracy drops by", cost.accuracy_drop, limits.accuracy_drop, "percentage points",
         "--max-accuracy-drop"),
        ("the share of verdicts that flip is", cost.flips, limits.flips, "percent", "--max-flips"),
        ("the AUC drops by", cost.auc_drop, limits.auc_drop, "", "--max-auc-drop"),
    )  # fmt: skip
    # One image in 2,000 is 0.05 points exactly, but floating-point arithmetic gives slightly more.
    found = [
        f"{what} {value:.4g} {unit} (limit {limit:g}, {option})".replace("  ", " ")
        for what, value, limit, unit, option in measured
        if not value <= limit + 1e-9
    ]
    if found and 100 / cost.images > min(limits.accuracy_drop, limits.flips):
        found.append(
            f"there are only {cost.images} validation images, so that one of them is "
            f"{100 / cost.images:.2g} percent; give more, or wider limits"
        )
    if not speedup >= limits.speedup:
        found.append(
            f"the int8 file is {speedup:.2f} times as fast as the float file on this machine "
            f"(the minimum is {limits.speedup:g})"
        )
    return found
