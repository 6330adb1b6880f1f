"""``galaxy-edge survey verify``."""

from __future__ import annotations

import io
from typing import Annotated

import typer

from galaxy_edge.cli.options import BatchSize, Device, Model, Threads
from galaxy_edge.cli.survey.status import Destination
from galaxy_edge.errors import UsageError


def verify(
    destination: Destination,
    model: Model = None,
    rows: Annotated[int, typer.Option(min=1, help="Number of rows to compare.")] = 100,
    parts: Annotated[
        int, typer.Option(min=1, help="Maximum number of parts they come from; each is read.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Another seed chooses other rows.")] = 0,
    device: Device = "auto",
    batch_size: BatchSize = 32,
    threads: Threads = None,
) -> None:
    """Score a sample of the finished rows again, and compare.

    The exit code is 5 if a row differs by more than the tolerance of the model file.
    """
    from galaxy_edge import job
    from galaxy_edge.cli.notes import print_note
    from galaxy_edge.survey import checking, identity, places
    from galaxy_edge.survey.ledger import Ledger, entries
    from galaxy_edge.survey.parts import divide

    store = places.store(destination)
    survey = identity.read(store)
    if survey.source == "-":
        raise UsageError("a survey of a list on stdin cannot be verified: the list was not kept")
    predictor = survey.predictor(model, device=device, threads=threads, batch_size=batch_size)
    for note in predictor.notes:
        print_note(note)
    ledger = Ledger(store, job.origin(predictor, survey.layout.keep), survey)
    chosen = checking.sample(entries(store), rows, parts, seed)
    paths = places.expand(
        survey.source, io.BytesIO(), recursive=survey.recursive, layout=survey.layout
    )
    bands = predictor.preprocessing.stretch.bands
    total = checking.Check(0, 0.0, [])
    for part in divide(paths, survey.part_size, survey.layout, bands):
        count = chosen.pop(part.key, 0)
        entry = ledger.entry(part) if count else None
        if entry is not None:
            total += checking.compare(part, entry, count, predictor, survey.layout, ledger, seed)
        if not chosen:
            break
    if chosen:
        raise UsageError(
            f"the source {survey.source} has no {', '.join(sorted(chosen))} any more; run the "
            "command in the folder where the survey ran"
        )
    typer.echo(
        f"{total.compared} rows compared: largest difference of a number {total.largest:.2g} "
        f"({predictor.provider})"
    )
    total.check()
