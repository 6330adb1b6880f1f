"""The model begins to load before the command line is taken apart: either takes 40 ms.

It is a guess, and a cheap one. Only arguments whose meaning needs no parser are looked at; where
the guess is wrong, what was begun is dropped, and the command opens what it was told to.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

#: Options that change what is opened otherwise than `-m FILE` does, or that open nothing.
_OTHERS = ("--device", "--threads", "--help", "-h", "--model=")


def begin(arguments: Sequence[str]) -> None:
    """Begin to open what ``predict`` will need, if that is plain to see."""
    if len(arguments) < 2 or arguments[0] != "predict":
        return
    if any(argument.startswith(_OTHERS) for argument in arguments):
        return
    models = [value for option, value in pairwise(arguments) if option in {"-m", "--model"}]
    # Whatever is wrong, it is the command that tells.
    with suppress(Exception):
        # As the Predictor will ask for it.
        path = Path(models[-1]).absolute() if models else None
        from galaxy_edge.engine.opening import Opening, begin_ahead
        from galaxy_edge.engine.threads import threads

        begin_ahead(Opening(path, "auto", threads().count))
