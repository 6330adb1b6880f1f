"""Start to load the model before the command line is parsed; each of the two takes 40 ms.

The model is a guess. Only arguments that can be understood without a parser are considered. If the
guess is wrong, the preloaded model is discarded, and the command opens the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

#: With these options nothing is preloaded: either another model or device is opened, or none.
_EXCLUDED = ("--device", "--threads", "--batch-size", "--help", "-h", "--model=")


def begin(arguments: Sequence[str]) -> None:
    """Start to open the model that ``predict`` will use, if it is obvious from the arguments."""
    if len(arguments) < 2 or arguments[0] != "predict":
        return
    if any(argument.startswith(_EXCLUDED) for argument in arguments):
        return
    models = [value for option, value in pairwise(arguments) if option in {"-m", "--model"}]
    # The command itself reports errors.
    with suppress(Exception):
        from galaxy_edge.engine.opening import Opening, begin_ahead, located
        from galaxy_edge.engine.threads import threads

        # The same path as in Predictor, which looks for an `Opening` that is equal to this one.
        path = located(models[-1] if models else None)
        begin_ahead(Opening(path, "auto", threads().count))
