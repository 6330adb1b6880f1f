"""``galaxy-edge predict``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from galaxy_edge.cli import classifying, parsing
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    BitDepth,
    Catalogue,
    Cutout,
    Device,
    Digest,
    ExitZero,
    Format,
    IdColumn,
    ImageColumn,
    Keep,
    Minimum,
    Model,
    OodLimit,
    Output,
    Percentiles,
    PixelColumns,
    Quiet,
    Recursive,
    Size,
    SkyColumns,
    Softening,
    StretchKind,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.cli.resume_hint import rows_hint
from galaxy_edge.errors import UsageError

_LARGE = "Large and long jobs"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS",
            help="Images, folders, patterns, containers (Parquet, tar, zip, HDF5 as "
            "cube.h5:images, Zarr), or - for a list of paths on stdin.",
        ),
    ],
    model: Model = None,
    recursive: Recursive = False,
    null: Annotated[
        bool,
        typer.Option(
            "-0",
            "--null",
            help="Paths on stdin end with NUL, not with a newline, as from find -print0.",
        ),
    ] = False,
    device: Device = "auto",
    threshold: Threshold = None,
    ood_limit: OodLimit = None,
    form: Format = None,
    output: Output = None,
    digest: Digest = False,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep the rows in OUTPUT and add the missing ones.",
            rich_help_panel=_LARGE,
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER/COUNT",
            help="Classify one of COUNT disjoint shares of the inputs, such as 3/16.",
            rich_help_panel=_LARGE,
        ),
    ] = None,
    image_column: ImageColumn = None,
    id_column: IdColumn = None,
    keep: Keep = None,
    catalogue: Catalogue = None,
    size: Size = None,
    sky_columns: SkyColumns = None,
    pixel_columns: PixelColumns = None,
    cutout: Cutout = None,
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
    """Classify galaxy cutouts.

    Every input gets one row, in order. If an input cannot be read, its row has the reason and no
    score, and the exit code is 1. Rows go to stdout, everything else to stderr. FITS images are
    stretched as recorded in the model file; the options for FITS replace its values.
    """
    from galaxy_edge import job
    from galaxy_edge.inputs.paths import sources
    from galaxy_edge.outputs.output import form_of

    form = form or form_of(output)
    classifying.check_columns(form, digest=digest, keep=keep)
    kept = parsing.names(keep)
    layout = parsing.layout(
        image_column, id_column, kept, catalogue, size, sky_columns, pixel_columns, cutout
    )
    if null and "-" not in paths:
        raise UsageError("-0 needs the argument -, which reads paths from stdin")
    share = None
    if shard is not None:
        from galaxy_edge.inputs.shards import Shard

        share = Shard.parse(shard)
    others = [str(path) for path in (model, catalogue) if path is not None]
    parsing.check_not_an_input(output, [*paths, *others])
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
    inputs = sources(
        paths,
        sys.stdin.buffer,
        recursive=recursive,
        null=null,
        bands=predictor.preprocessing.stretch.bands,
        layout=layout,
        output=output,
    )
    with (
        rows_hint(output, form),
        classifying.opened_rows(
            output, form, predictor, kept=kept, resuming=resume, quiet=quiet
        ) as rows,
    ):
        tally = job.run(
            inputs, predictor, rows.output, shard=share, progress=rows.progress, note=rows.note
        )
    classifying.conclude(tally, predictor, quiet=quiet, exit_zero=exit_zero)
