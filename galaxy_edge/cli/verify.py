"""``galaxy-edge verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from galaxy_edge.cli.options import Device, ModelFile
from galaxy_edge.manifest import GOLDEN_TOLERANCE


def verify(
    model: ModelFile = None,
    device: Device = "auto",
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest difference of a score.")
    ] = GOLDEN_TOLERANCE,
) -> None:
    """Score the examples a model file carries, and compare with what its exporter recorded.

    A damaged file, a processor whose int8 arithmetic saturates, a provider that computes something
    else: each shows up here, with exit code 3.
    """
    from galaxy_edge.predictor import Predictor
    from galaxy_edge.verify import verify as check

    predictor = Predictor(model, device=device, check=False)
    for note in predictor.notes:
        typer.echo(f"galaxy-edge: {note}", err=True)
    found = check(predictor)
    typer.echo(
        f"{found.examples} examples, largest difference of a score {found.worst:.1e} "
        f"({predictor.provider})"
    )
    found.check(tolerance)
