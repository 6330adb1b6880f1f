"""``galaxy-edge info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.options import AlsoModel, ModelFile


def info(
    model: ModelFile = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Only validate the file: its metadata against the JSON Schema of a manifest, and "
            "its tensors. Needs the extra `schema`.",
        ),
    ] = False,
    also_model: AlsoModel = None,
) -> None:
    """Print the metadata of a model file as JSON."""
    model = parsing.one_model(model, also_model)
    if check:
        _check(model)
        return
    from galaxy_edge.predictor import Predictor

    predictor = Predictor(model, device="cpu", check=False)
    manifest = predictor.manifest
    # The examples contain images; print only their scores.
    scores = {"golden": [list(item.scores) for item in manifest.golden]}
    head = {"model": predictor.name, "sha256": predictor.sha256, "schema": manifest.schema}
    document = head | manifest.sections() | scores
    typer.echo(json.dumps(document, indent=2))


def _check(model: Path | None) -> None:
    from galaxy_edge.cli.extras import importing
    from galaxy_edge.engine import checking
    from galaxy_edge.engine.opening import located, read
    from galaxy_edge.errors import ModelError

    path = located(model)
    with importing("schema"):
        import jsonschema  # noqa: F401 - says now whether it is installed
    try:
        manifest = checking.check(read(path))
    except ModelError as error:
        raise ModelError(f"{path} cannot be used: {error}") from error
    examples = f"{len(manifest.golden)} recorded examples"
    classes = ", ".join(manifest.classes)
    typer.echo(f"{path.name}: a valid manifest of schema {manifest.schema}; {classes}; {examples}")
