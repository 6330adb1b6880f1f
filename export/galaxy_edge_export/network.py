"""A loaded model: how its author calls it, and what it computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from galaxy_edge_export.traced import Traced

Numbers: TypeAlias = npt.NDArray[np.float32]
#: From float32 [N, size, size, channels], in the range that the model takes, to [N, 1] or [N, C].
Call: TypeAlias = Callable[[Numbers], npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class Network:
    """A loaded model.

    Attributes:
        traced: what it computes, in float32.
        call: the model itself, in float32; its numbers are what the file must reproduce.
        runs_on: what runs the model, for messages: "Keras" or "TensorFlow".
        precision: the type in which its author's model computes.
        own_call: the model in that type; None if it is float32.
    """

    traced: Traced
    call: Call
    runs_on: str
    precision: str = "float32"
    own_call: Call | None = None
