"""A model file against its own golden examples, on this machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from galaxy_edge.errors import ImageError, ModelError
from galaxy_edge.inputs.images import decode
from galaxy_edge.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Verification:
    """How this machine scores what the exporting machine scored.

    Attributes:
        examples: how many were scored.
        worst: largest difference of a score from the recorded one, 0 to 1.
        decoded_otherwise: examples whose pixels, decoded and resized here, are not those of the
            exporting machine.
    """

    examples: int
    worst: float
    decoded_otherwise: int

    def check(self, tolerance: float) -> None:
        """Refuse what this machine scores otherwise.

        Args:
            tolerance: largest difference of a score; `Manifest.tolerance` is the file's own.

        Raises:
            ModelError: a score differs by more, or an example's pixels do.
        """
        if self.decoded_otherwise:
            raise ModelError(
                f"{self.decoded_otherwise} of {self.examples} examples decode to other pixels here "
                "than where the model was exported; the installed Pillow resizes in another way"
            )
        # A tolerance that is no number allows nothing.
        if not self.worst <= tolerance:
            raise ModelError(
                f"a score is off by {self.worst:.1e}, and at most {tolerance:.0e} is allowed; do "
                "not use this file with this provider on this machine"
            )


def verify(predictor: Predictor) -> Verification:
    """Score the golden examples of a predictor's model.

    Raises:
        ModelError: the file carries none, or one that is no image.
    """
    examples = predictor.manifest.golden
    if not examples:
        raise ModelError("the file carries no golden examples to verify it with")
    try:
        pixels = np.stack([decode(item.png, predictor.manifest.preprocessing) for item in examples])
    except ImageError as error:
        raise ModelError(f"{predictor.name} is damaged: a golden example is {error}") from error
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in pixels]
    recorded = np.array([item.score for item in examples])
    return Verification(
        examples=len(examples),
        worst=float(np.max(np.abs(predictor.score(pixels) - recorded))),
        decoded_otherwise=sum(
            digest != item.input_sha256 for digest, item in zip(digests, examples, strict=True)
        ),
    )
