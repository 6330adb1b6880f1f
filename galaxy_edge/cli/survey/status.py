"""``galaxy-edge survey status``."""

from __future__ import annotations

from typing import Annotated

import typer

Destination = Annotated[
    str, typer.Argument(metavar="DESTINATION", help="Folder or URL of the rows of a survey.")
]


def status(destination: Destination) -> None:
    """Count the finished parts of a survey, their rows, failures, statuses and labels."""
    from galaxy_edge.outputs.text import printable
    from galaxy_edge.results import Tally
    from galaxy_edge.survey import identity, places
    from galaxy_edge.survey.ledger import entries
    from galaxy_edge.survey.running import add

    store = places.store(destination)
    survey = identity.read(store)
    tally, parts = Tally(), 0
    for entry in entries(store):
        parts += 1
        add(tally, entry)
    typer.echo(f"source: {printable(survey.source)}")
    typer.echo(f"model: {printable(survey.model)} (SHA-256 {survey.model_sha256[:12]})")
    typer.echo(f"finished parts: {parts:,}")
    typer.echo(f"rows: {tally.total:,}")
    typer.echo(f"failures: {tally.failed:,}")
    for name, count in sorted(tally.statuses.items()):
        typer.echo(f"status {name}: {count:,}")
    for name, count in sorted(tally.labels.items()):
        typer.echo(f"label {printable(name)}: {count:,}")
