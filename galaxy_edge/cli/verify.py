"""``galaxy-edge verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.errors import ModelError

#: What processors and providers may differ by. Seven-bit weights give the same integers
#: everywhere; what is left is the rounding of the last layers. A saturating multiplication or a
#: damaged weight shows up far above it.
_TOLERANCE = 0.001


def verify(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", show_default="the bundled one")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")
    ] = "auto",
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest difference of a score.")
    ] = _TOLERANCE,
) -> None:
    """Score the examples a model file carries, and compare with what its exporter recorded.

    A damaged file, a processor whose int8 arithmetic saturates, a provider that computes something
    else: each shows up here, with exit code 3.
    """
    from galaxy_edge.predictor import Predictor
    from galaxy_edge.verify import verify as check

    predictor = Predictor(model, device=device)
    found = check(predictor)
    typer.echo(
        f"{found.examples} examples, largest difference of a score {found.worst:.1e} "
        f"({predictor.provider})"
    )
    if found.decoded_otherwise:
        raise ModelError(
            f"{found.decoded_otherwise} of {found.examples} examples decode to other pixels here "
            "than where the model was exported; the installed Pillow resizes in another way"
        )
    if found.worst > tolerance:
        raise ModelError(
            f"a score is off by {found.worst:.1e}, and at most {tolerance:.0e} is allowed; do not "
            "use this file with this provider on this machine"
        )
