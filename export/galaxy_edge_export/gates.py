"""What a file must pass before it is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from galaxy_edge.engine.session import Session
from galaxy_edge.errors import GateError
from galaxy_edge.inputs.images import Pixels
from galaxy_edge_export.trained import rescales_itself

#: Largest difference from Keras that a float file may have.
PARITY = 1e-5
#: And one in fp16, whose weights are rounded by up to 1 / 2,048: the bundled model's network
#: differed by at most 0.0017 on 256 drawn galaxies and by 0.0009 on 2,000 validation images.
HALF_PARITY = 5e-3
PARITY_BATCHES = (1, 7, 32)

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Limits:
    """What quantisation may cost, on the validation set.

    Attributes:
        accuracy_drop: percentage points.
        flips: verdicts that change, percent.
        auc_drop: absolute.
        speedup: at least so many times as fast as the float file, here, alone and in a batch.
    """

    accuracy_drop: float = 0.2
    flips: float = 0.5
    auc_drop: float = 0.002
    speedup: float = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What quantisation did cost.

    Attributes:
        images: size of the validation set.
        fp32_accuracy, int8_accuracy: percent.
        fp32_auc, int8_auc: 0 to 1.
        flips: verdicts that changed, percent.
    """

    images: int
    fp32_accuracy: float
    int8_accuracy: float
    fp32_auc: float
    int8_auc: float
    flips: float

    @property
    def accuracy_drop(self) -> float:
        """Percentage points; negative when int8 is the better one."""
        return self.fp32_accuracy - self.int8_accuracy

    @property
    def auc_drop(self) -> float:
        """Absolute; negative when int8 is the better one."""
        return self.fp32_auc - self.int8_auc

    def document(self) -> dict[str, Any]:
        """For the manifest."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def keras_scores(model: keras.Model, images: Pixels) -> Scores:
    """What Keras says.

    Args:
        model: from [N, size, size, 3] to [N, 1].
        images: uint8 [N, size, size, 3].

    Returns:
        float32 [N].
    """
    divisor = np.float32(1 if rescales_itself(model) else 255)
    return np.asarray(model.predict_on_batch(images / divisor), dtype=np.float32)[:, 0]


def check_parity(
    model: keras.Model, session: Session, images: Pixels, limit: float | None = None
) -> float:
    """Hold a float file against Keras at batch sizes 1, 7 and 32.

    Args:
        model: the Keras model.
        session: its exported file.
        images: uint8 [32 or more, size, size, 3].
        limit: what is allowed; None is `PARITY`.

    Returns:
        The largest difference of two scores.

    Raises:
        GateError: it is over the limit.
    """
    limit = PARITY if limit is None else limit
    worst = 0.0
    for size in PARITY_BATCHES:
        batch = images[:size]
        difference = float(np.max(np.abs(session.score(batch) - keras_scores(model, batch))))
        # `not <=` so that NaN fails, too.
        if not difference <= limit:
            raise GateError(
                f"the exported file differs from Keras by {difference:.2e} at batch size {size} "
                f"(at most {limit:.0e} is allowed); nothing was written"
            )
        worst = max(worst, difference)
    return worst


def measure_cost(
    labels: npt.NDArray[np.uint8], fp32: Scores, int8: Scores, threshold: float
) -> Cost:
    """Compare the scores of two files on one labelled set.

    Args:
        labels: [N], 0 or 1, both present.
        fp32: scores of the float file, [N].
        int8: scores of the quantised file, [N].
        threshold: a score above it is a positive verdict.
    """
    before, after = fp32 > threshold, int8 > threshold
    return Cost(
        images=len(labels),
        fp32_accuracy=100 * float(np.mean(before == labels)),
        int8_accuracy=100 * float(np.mean(after == labels)),
        fp32_auc=float(roc_auc_score(labels, fp32)),
        int8_auc=float(roc_auc_score(labels, int8)),
        flips=100 * float(np.mean(before != after)),
    )


def failures(cost: Cost, speedup: float, limits: Limits) -> list[str]:
    """What is over its limit, a phrase each; empty when the file may be written.

    Args:
        cost: in quality.
        speedup: times as fast as the float file, the lesser of one image alone and a batch.
        limits: what is allowed.
    """
    measured = (
        ("the accuracy drops by", cost.accuracy_drop, limits.accuracy_drop, "percentage points"),
        ("the verdicts that flip are", cost.flips, limits.flips, "percent"),
        ("the AUC drops by", cost.auc_drop, limits.auc_drop, ""),
    )
    # A drop of one image in 2,000 is 0.05 points in reals and a hair more in floats.
    found = [
        f"{what} {value:.4g} {unit} (limit {limit:g})".replace("  ", " ")
        for what, value, limit, unit in measured
        if not value <= limit + 1e-9
    ]
    if not speedup >= limits.speedup:
        found.append(f"it is {speedup:.2f} times as fast here (at least {limits.speedup:g})")
    return found
