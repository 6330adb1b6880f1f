"""``galaxy-edge verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.options import AlsoModel, Device, ModelFile


def verify(
    model: ModelFile = None,
    device: Device = "auto",
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Largest allowed difference of a score.",
            show_default="0.001; 0.005 for an fp16 file",
        ),
    ] = None,
    also_model: AlsoModel = None,
) -> None:
    """Compare a model file's scores of its own examples with those recorded at export.

    This detects a damaged file, a processor whose int8 arithmetic saturates, and an execution
    provider that computes wrong scores. The exit code is then 3.
    """
    from galaxy_edge.golden import describe
    from galaxy_edge.golden import verify as check
    from galaxy_edge.outputs.text import printable
    from galaxy_edge.predictor import Predictor

    model = parsing.one_model(model, also_model)
    predictor = Predictor(model, device=device, check=False)
    for note in predictor.notes:
        typer.echo(f"galaxy-edge: {printable(note)}", err=True)
    found = check(predictor)
    allowed = predictor.manifest.tolerance if tolerance is None else tolerance
    typer.echo(f"{describe(found)} ({predictor.provider})")
    if found.note and found.compared:
        typer.echo(f"galaxy-edge: {printable(found.note)}", err=True)
    found.check(allowed)
