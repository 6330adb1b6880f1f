"""``galaxy-edge watch``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import classifying, parsing
from galaxy_edge.cli.notes import print_note
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    BitDepth,
    Cutout,
    Device,
    Digest,
    ExitZero,
    Format,
    IdColumn,
    Keep,
    Minimum,
    Model,
    OodLimit,
    Output,
    Percentiles,
    Quiet,
    Recursive,
    Softening,
    StretchKind,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.cli.stopping import stopping


def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that images arrive in.")
    ],
    model: Model = None,
    output: Output = None,
    form: Format = None,
    recursive: Recursive = False,
    settle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Take a file when it has not changed for this long. A file that was renamed into "
            "place is taken at once.",
        ),
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when every image in the folder has its row.")
    ] = False,
    move_done: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Move each file that has its row to this folder."),
    ] = None,
    on_verdict: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run a command after each row. {label}, {path} and the other columns are filled "
            "in; the row is its stdin, as JSON.",
        ),
    ] = None,
    on_verdict_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Kill a command that takes longer than this.")
    ] = 60.0,
    device: Device = "auto",
    threshold: Threshold = None,
    ood_limit: OodLimit = None,
    digest: Digest = False,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    cutout: Cutout = None,
    id_column: IdColumn = None,
    keep: Keep = None,
    bands: Bands = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    bit_depth: BitDepth = None,
    stretch_kind: StretchKind = None,
    percentiles: Percentiles = None,
    exit_zero: ExitZero = False,
    quiet: Quiet = False,
) -> None:
    """Classify each image that arrives in a folder, as soon as it is complete.

    Rows are those of `predict`. After a restart with the same OUTPUT, files that have a row are
    not classified again. SIGTERM and Ctrl-C finish the image in hand first.
    """
    from galaxy_edge import job
    from galaxy_edge.inputs.watched.done import Mover
    from galaxy_edge.inputs.watched.watch import Watch
    from galaxy_edge.outputs.command import CommandWriter
    from galaxy_edge.outputs.output import form_of

    form = form or form_of(output)
    classifying.check_columns(form, digest=digest, keep=keep)
    with stopping() as stop:
        watched = Watch(
            folder,
            settle=settle,
            recursive=recursive,
            once=once,
            leave_out=tuple(path for path in (output, move_done) if path is not None),
            stopped=stop,
            note=print_note,
        )
        predictor = classifying.opened_predictor(
            model,
            device=device,
            threads=threads,
            threshold=threshold,
            ood_limit=ood_limit,
            batch_size=batch_size,
            bands=bands,
            minimum=minimum,
            stretch=stretch,
            q=q,
            bit_depth=bit_depth,
            stretch_kind=stretch_kind,
            percentiles=percentiles,
            digest=digest,
        )
        can_resume = output is not None and form != "table"
        kept = parsing.names(keep)
        layout = parsing.layout(id_column=id_column, keep=kept, cutout=cutout)
        with classifying.opened_rows(
            output, form, predictor, kept=kept, resuming=can_resume, quiet=quiet
        ) as rows:
            written = rows.output
            if on_verdict is not None:
                columns = job.origin(predictor, kept).columns
                command = CommandWriter(
                    written.writer, on_verdict, columns, print_note, on_verdict_timeout
                )
                written = replace(written, writer=command)
            mover = (
                None if move_done is None else Mover(folder, move_done, written.sync, print_note)
            )
            tally = job.run(
                watched.sources(
                    bands=predictor.preprocessing.stretch.bands, layout=layout, done=mover
                ),
                predictor,
                written,
                progress=rows.progress,
                note=rows.note,
                accept=lambda one: watched.accept(one.path, failed=one.status == "error"),
            )
    classifying.conclude(tally, predictor, quiet=quiet, exit_zero=exit_zero or stop())
    stop.exit_if_asked()
