"""The self-check: does this machine compute what the exporting machine computed?

Every model file carries golden examples: images with the scores that its exporter recorded. One
policy holds wherever they are checked (`Predictor`, `verify`, `doctor`, `export`,
`tools/other-cpus`). An example that decodes to other pixels here, because another Pillow resizes
differently, says nothing about the arithmetic: it is not compared, and is reported. A compared
score that differs by more than the tolerance means that the file must not be used. If none could
be compared, nothing is proved: `verify`, `doctor` and `export` fail, and a `Predictor` works with a
note, because another Pillow is no reason to stop a night's observations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from galaxy_edge.decision import Probabilities
from galaxy_edge.errors import ImageError, ModelError
from galaxy_edge.inputs.images import Pixels, decode
from galaxy_edge.manifest import TYPICALITY_TOLERANCE, Golden, Manifest

#: The self-check takes every third example; `galaxy-edge verify` takes all.
_EVERY = 3


class Scorer(Protocol):
    """What is checked: a `Predictor`."""

    @property
    def name(self) -> str:
        """Name of the model file."""

    @property
    def manifest(self) -> Manifest:
        """What the file says of itself."""

    @property
    def provider(self) -> str:
        """The execution provider in use."""

    def scores_and_typicality(
        self, images: Pixels
    ) -> tuple[Probabilities, npt.NDArray[np.float32] | None]:
        """Score uint8 [N, size, size, 3]: float32 [N, C] and [N]."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How this machine scores what the exporting machine scored.

    Attributes:
        examples: number of golden examples that were looked at.
        compared: how many of them decode to the same pixels here, so that their scores could be
            compared.
        largest_difference: largest difference of a score from the recorded one, 0 to 1; 0 if none
            could be compared.
        provider: the execution provider that computed the scores.
        largest_typicality_difference: the same of a typicality; None if none was compared.
    """

    examples: int
    compared: int
    largest_difference: float
    provider: str
    largest_typicality_difference: float | None = None

    @property
    def note(self) -> str | None:
        """A sentence about the examples that could not be compared; None if all were."""
        if self.compared == self.examples:
            return None
        other = self.examples - self.compared
        known = (
            "none could be compared, so it is unknown whether this machine computes the recorded "
            "scores"
            if self.compared == 0
            else f"{self.compared} could be compared"
        )
        return (
            f"{other} of {self.examples} golden examples decode to other pixels here than where "
            f"the model was exported (another Pillow resizes differently); {known}"
        )

    def check(self, tolerance: float) -> None:
        """Refuse scores that differ from the recorded ones, or that could not be compared.

        Args:
            tolerance: largest allowed difference of a score; `Manifest.tolerance` is the file's
                own. A typicality may differ by this, or by `TYPICALITY_TOLERANCE` if that is more.

        Raises:
            ModelError: a score differs by more, or no example could be compared.
        """
        if not self.compared:
            raise ModelError(f"this machine is not verified: {self.note}")
        compared = (
            ("a score", self.largest_difference, tolerance),
            (
                "a typicality",
                self.largest_typicality_difference or 0.0,
                max(TYPICALITY_TOLERANCE, tolerance),
            ),
        )
        for what, difference, allowed in compared:
            # Not ">": a tolerance of NaN allows nothing.
            if not difference <= allowed:
                raise ModelError(
                    f"it does not reproduce its golden examples: {what} differs by "
                    f"{difference:.1e} from the one recorded at export, and at most "
                    f"{allowed:.0e} is allowed; do not use this file with this provider "
                    f"({self.provider}) on this machine"
                )


def verify(predictor: Scorer, *, every: int = 1) -> Verification:
    """Score the golden examples of a predictor's model, and compare.

    Args:
        predictor: a `Predictor`.
        every: take every n-th example.

    Raises:
        ModelError: the file carries none, or one of them is not an image.
    """
    examples = predictor.manifest.golden[::every]
    if not examples:
        raise ModelError(f"{predictor.name} carries no golden examples to verify it with")
    same = _decoded_as_recorded(predictor, examples)
    worst, oddest = 0.0, None
    if same:
        pixels, recorded = zip(*same, strict=True)
        found, typicality = predictor.scores_and_typicality(np.stack(pixels))
        # Two classes are recorded as P(positive) alone, the last column.
        width = predictor.manifest.score_width
        scores = np.array([item.scores for item in recorded])
        worst = float(np.max(np.abs(found[:, -width:] - scores)))
        known = [item.typicality is not None for item in recorded]
        if typicality is not None and any(known):
            usual = np.array([item.typicality for item in recorded], np.float64)
            oddest = float(np.max(np.abs(typicality - usual)[known]))
    return Verification(len(examples), len(same), worst, predictor.provider, oddest)


def describe(found: Verification) -> str:
    """What a verification found, as a phrase."""
    compared = f"{found.compared} of {found.examples} golden examples compared"
    if not found.compared:
        return compared
    text = f"{compared}, largest difference of a score {found.largest_difference:.1e}"
    if found.largest_typicality_difference is None:
        return text
    return f"{text}, of a typicality {found.largest_typicality_difference:.1e}"


def self_check(predictor: Scorer) -> tuple[str, ...]:
    """Verify some of the examples, before the first verdict.

    Returns:
        A sentence if nothing could be compared; nothing otherwise: the examples that could be
        compared have shown that the arithmetic is right.

    Raises:
        ModelError: a score differs from the recorded one.
    """
    if not predictor.manifest.golden:
        return (f"{predictor.name} carries no golden examples, so it could not check itself",)
    try:
        found = verify(predictor, every=_EVERY)
        if not found.compared:
            found = verify(predictor)
        if not found.compared and found.note:
            return (found.note,)
        found.check(predictor.manifest.tolerance)
    except ModelError as error:
        raise ModelError(
            f"{predictor.name} failed its self-check: {error}; `galaxy-edge doctor` and "
            "`galaxy-edge verify` say more"
        ) from error
    return ()


def _decoded_as_recorded(
    predictor: Scorer, examples: Sequence[Golden]
) -> list[tuple[Pixels, Golden]]:
    """The examples that decode to the recorded pixels, with these."""
    try:
        pixels = [decode(item.png, predictor.manifest.preprocessing) for item in examples]
    except ImageError as error:
        raise ModelError(f"{predictor.name} is damaged: a golden example is {error}") from error
    return [
        (image, item)
        for image, item in zip(pixels, examples, strict=True)
        if hashlib.sha256(image.tobytes()).hexdigest() == item.input_sha256
    ]
