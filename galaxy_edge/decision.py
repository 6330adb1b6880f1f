"""Scores and a typicality -> status and label.

The only module that knows what classes and thresholds mean; all others ask it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ModelError, UsageError
from galaxy_edge.manifest import Manifest, check_share, check_threshold

Status: TypeAlias = Literal["ok", "uncertain", "out_of_distribution", "error"]
#: float32 [N, C], one probability per class, 0 to 1.
Probabilities: TypeAlias = npt.NDArray[np.float32]

#: Probabilities of three or more classes add up to 1, give or take the rounding of int8 and fp16.
_SUM_TOLERANCE = 0.01


class Scores(Mapping[str, float | None]):
    """Class name to probability, read-only; every value is None for an input without a score.

    Args:
        classes: names, in the order of the values.
        values: one probability per class, or None.
    """

    __slots__ = ("_values",)

    def __init__(self, classes: Sequence[str], values: Sequence[float] | None) -> None:
        self._values: dict[str, float | None] = (
            dict.fromkeys(classes) if values is None else dict(zip(classes, values, strict=True))
        )

    def __getitem__(self, name: str) -> float | None:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model decides on one image.

    Attributes:
        status: "ok"; "uncertain" for a score that the rule leaves open; "out_of_distribution" for
            an image unlike those the model was trained on.
        label: the class; None unless the status is "ok".
        score: two classes: P(positive); more: the probability of the most probable class.
        scores: the probability of every class.
        typicality: share of the training kind that is less typical; None if the model does not
            compute it.
    """

    status: Status
    label: str | None
    score: float
    scores: Scores
    typicality: float | None


class Decision:
    """The classes and the decision rule of a model.

    Args:
        manifest: the model's.
        threshold: replaces the manifest's; see `DecisionRule.threshold`.
        ood_limit: replaces the manifest's; see `DecisionRule.ood_limit`. 0 accepts all.

    Raises:
        UsageError: a number is not between 0 and 1, or the model has no typicality to limit.
    """

    def __init__(
        self, manifest: Manifest, threshold: float | None = None, ood_limit: float | None = None
    ) -> None:
        rule = manifest.decision
        notes: list[str] = []
        if ood_limit is not None:
            check_share(ood_limit, "the out-of-distribution limit")
            if manifest.outputs.typicality is None:
                raise UsageError(
                    "the model computes no typicality, so an out-of-distribution limit has no "
                    "effect; leave it out"
                )
            rule = replace(rule, ood_limit=float(ood_limit) or None)
        #: The threshold at which the file chose the typicality of an open class.
        self._gate = None if rule.ood_limit is None else rule.threshold
        if threshold is not None:
            check_threshold(threshold)
            threshold = float(threshold)  # comparing with NumPy's gives its own booleans
            if rule.abstain is not None and threshold != rule.threshold:
                # A band chosen around one threshold says nothing about another.
                notes.append(
                    f"the threshold {threshold:g} replaces the model's {rule.threshold:g}, so its "
                    "abstention band does not apply"
                )
                rule = replace(rule, abstain=None)
            rule = replace(rule, threshold=threshold)
        self._manifest = manifest
        self._rule = rule
        if self._leaves_open:
            notes.append(
                f"scores between the threshold {rule.threshold:g} and the model's {self._gate:g} "
                f"are uncertain: the file has the typicality of {rule.open_class} there"
            )
        self._note = "; ".join(notes) or None

    @property
    def note(self) -> str | None:
        """A sentence for the user about a part of the rule that is not applied, or None."""
        return self._note

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The statuses that a row can have, besides ok."""
        rule = self._rule
        open_scores = (
            rule.abstain is not None
            or self._leaves_open
            or (not self.two_classes and rule.threshold is not None)
        )
        return (
            *(("uncertain",) if open_scores else ()),
            *(("out_of_distribution",) if rule.ood_limit is not None else ()),
            "error",
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the scores."""
        return self._manifest.classes

    @property
    def threshold(self) -> float | None:
        """Two classes: a score above it is positive. More: below it is uncertain; None for none."""
        return self._rule.threshold

    @property
    def ood_limit(self) -> float | None:
        """A typicality below it is out of distribution; None if all are accepted."""
        return self._rule.ood_limit

    @property
    def open_class(self) -> str | None:
        """The class whose images may be of any kind; None if every class is described."""
        return self._rule.open_class

    @property
    def two_classes(self) -> bool:
        """Whether the score is P(positive) of a negative and a positive class."""
        return len(self.classes) == 2

    def probabilities(self, output: npt.NDArray[np.float32]) -> Probabilities:
        """The model's output as one probability per class.

        Args:
            output: float32 [N, 1], P(positive), of a model for two classes; else float32 [N, C].

        Returns:
            float32 [N, C]; for two classes the second column is the output to the bit.

        Raises:
            ModelError: a value is not a probability.
        """
        # Not "any outside": NaN is neither inside nor outside.
        if not np.all((output >= 0) & (output <= 1)):
            raise ModelError("the model gives scores outside 0 to 1; the file is damaged")
        if self.two_classes:
            return np.concatenate([1 - output, output], axis=1)
        if not np.all(np.abs(output.sum(axis=1) - 1) <= _SUM_TOLERANCE):
            raise ModelError(
                "the model gives scores that do not add up to 1 over its classes; the file is "
                "damaged, or was made without a softmax"
            )
        return output

    def typicalities(self, output: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The model's output of typicalities, checked.

        Args:
            output: float32 [N].

        Raises:
            ModelError: a value is outside 0 to 1.
        """
        if not np.all((output >= 0) & (output <= 1)):
            raise ModelError("the model gives typicalities outside 0 to 1; the file is damaged")
        return output

    def choose(self, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        """The class each image is taken for, whatever its status.

        Args:
            probabilities: [N, C], 0 to 1.

        Returns:
            intp [N]: two classes: 1 where P(positive) is above the threshold, else 0; more: the
            most probable class, the first of equals.
        """
        if not self.two_classes:
            return np.asarray(np.argmax(probabilities, axis=1), np.intp)
        # Compared as they are written into rows, so that a row agrees with its own numbers.
        return np.asarray(decimals(probabilities[:, 1]) > (self.threshold or 0.0), np.intp)

    def verdicts(
        self, probabilities: Probabilities, typicality: npt.NDArray[np.float32] | None = None
    ) -> list[Verdict]:
        """Decide on images.

        Args:
            probabilities: float32 [N, C], from `probabilities`.
            typicality: float32 [N]; None if the model does not compute it.
        """
        values = decimals(probabilities)
        chosen = self.choose(values).tolist()
        odd = [None] * len(values) if typicality is None else decimals(typicality).tolist()
        return [
            self._verdict(row, place, each)
            for row, place, each in zip(values.tolist(), chosen, odd, strict=True)
        ]

    def _verdict(self, values: list[float], place: int, typicality: float | None) -> Verdict:
        score = values[1] if self.two_classes else values[place]
        status = self._status(score, typicality)
        return Verdict(
            status=status,
            label=self.classes[place] if status == "ok" else None,
            score=score,
            scores=Scores(self.classes, values),
            typicality=typicality,
        )

    def _status(self, score: float, typicality: float | None) -> Status:
        rule = self._rule
        limit = rule.ood_limit
        # Not "below": NaN is not typical either.
        if typicality is not None and limit is not None and not typicality >= limit:
            return "out_of_distribution"
        if rule.abstain is not None and rule.abstain[0] <= score <= rule.abstain[1]:
            return "uncertain"
        if not self.two_classes and rule.threshold is not None and score < rule.threshold:
            return "uncertain"
        if self._leaves_open and self._between(score):
            return "uncertain"
        return "ok"

    @property
    def _leaves_open(self) -> bool:
        """Whether scores become the closed class although the file took them for the open one.

        There, the typicality may be that of the open class, and an image unlike the closed class
        must not be called so.
        """
        rule = self._rule
        if rule.open_class is None or rule.threshold is None or self._gate is None:
            return False
        if self.classes.index(rule.open_class) == 0:
            return rule.threshold < self._gate
        return rule.threshold > self._gate

    def _between(self, score: float) -> bool:
        ends = sorted((self._rule.threshold or 0.0, self._gate or 0.0))
        return ends[0] < score <= ends[1]


def decimals(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The shortest decimal of each float32 as a float64: 0.9812, not 0.9811999797821045.

    Args:
        values: any shape. What is float64 already is returned as it is.
    """
    if values.dtype != np.float32:
        return np.asarray(values, np.float64)
    found = np.array([float(str(value)) for value in values.ravel()], np.float64)
    return found.reshape(values.shape)
