"""``galaxy-edge info``."""

from __future__ import annotations

import json

import typer

from galaxy_edge.cli.options import ModelFile


def info(
    model: ModelFile = None,
) -> None:
    """Print the metadata of a model file as JSON."""
    from galaxy_edge.manifest import SCHEMA
    from galaxy_edge.predictor import Predictor

    predictor = Predictor(model, device="cpu", check=False)
    sections = {
        key.split(".", 1)[1]: json.loads(text)
        for key, text in predictor.manifest.to_metadata().items()
    }
    # The examples contain images; print only their scores.
    sections["golden"] = [item.score for item in predictor.manifest.golden]
    document = {"model": predictor.name, "sha256": predictor.sha256, "schema": SCHEMA} | sections
    typer.echo(json.dumps(document, indent=2))
