"""``galaxy-edge verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from galaxy_edge.cli.options import Device, ModelFile


def verify(
    model: ModelFile = None,
    device: Device = "auto",
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Largest difference of a score.",
            show_default="0.001, of an fp16 file 0.005",
        ),
    ] = None,
) -> None:
    """Score the examples a model file carries, and compare with what its exporter recorded.

    A damaged file, a processor whose int8 arithmetic saturates, a provider that computes something
    else: each shows up here, with exit code 3.
    """
    from galaxy_edge.golden import verify as check
    from galaxy_edge.predictor import Predictor

    predictor = Predictor(model, device=device, check=False)
    for note in predictor.notes:
        typer.echo(f"galaxy-edge: {note}", err=True)
    found = check(predictor)
    allowed = predictor.manifest.tolerance if tolerance is None else tolerance
    typer.echo(
        f"{found.examples} examples, largest difference of a score {found.worst:.1e} "
        f"({predictor.provider})"
    )
    found.check(allowed)
