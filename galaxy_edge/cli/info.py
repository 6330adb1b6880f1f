"""``galaxy-edge info``."""

from __future__ import annotations

import json

import typer

from galaxy_edge.cli.options import ModelFile


def info(
    model: ModelFile = None,
) -> None:
    """Print the metadata of a model file as JSON."""
    from galaxy_edge.predictor import Predictor

    predictor = Predictor(model, device="cpu", check=False)
    manifest = predictor.manifest
    # The examples contain images; print only their scores.
    scores = {"golden": [list(item.scores) for item in manifest.golden]}
    head = {"model": predictor.name, "sha256": predictor.sha256, "schema": manifest.schema}
    document = head | manifest.sections() | scores
    typer.echo(json.dumps(document, indent=2))
