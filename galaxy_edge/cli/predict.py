"""``galaxy-edge predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.notes import Notes
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    BitDepth,
    Catalogue,
    Device,
    IdColumn,
    ImageColumn,
    Keep,
    Minimum,
    Model,
    OodLimit,
    PixelColumns,
    Quiet,
    Size,
    SkyColumns,
    Softening,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.cli.progress import ticking
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
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive", help="Include subfolders.")
    ] = False,
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
    form: Annotated[
        Literal["table", "jsonl", "csv", "parquet", "fits"] | None,
        typer.Option(
            "--format", help="Output format.", show_default="by the suffix of OUTPUT, or table"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Output file.", show_default="stdout")
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Add the SHA-256 of its input to each row.")
    ] = False,
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
    bands: Bands = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    bit_depth: BitDepth = None,
    quiet: Quiet = False,
) -> None:
    """Classify galaxy cutouts.

    Every input gets one row, in order. If an input cannot be read, its row has the reason and no
    score, and the exit code is 1. Rows go to stdout, everything else to stderr. FITS images are
    stretched as recorded in the model file; the options for FITS replace its values.
    """
    from galaxy_edge import job
    from galaxy_edge.inputs.paths import sources
    from galaxy_edge.outputs.output import form_of, opened
    from galaxy_edge.outputs.text import printable
    from galaxy_edge.predictor import Predictor

    form = form or form_of(output)
    for option, is_given in (("--digest", digest), ("--keep", keep is not None)):
        if is_given and form == "table":
            raise UsageError(
                f"a table has no column for {option}; use --format jsonl or csv, or -o FILE.csv"
            )
    kept = parsing.names(keep)
    layout = parsing.layout(
        image_column, id_column, kept, catalogue, size, sky_columns, pixel_columns
    )
    if null and "-" not in paths:
        raise UsageError("-0 needs the argument -, which reads paths from stdin")
    share = None
    if shard is not None:
        from galaxy_edge.inputs.shards import Shard

        share = Shard.parse(shard)
    others = [str(path) for path in (model, catalogue) if path is not None]
    parsing.check_not_an_input(output, [*paths, *others])
    predictor = Predictor(
        model,
        device=device,
        threads=threads,
        threshold=threshold,
        ood_limit=parsing.ood_limit(ood_limit),
        batch_size=batch_size,
        stretch=parsing.stretch(bands, minimum, stretch, q, bit_depth),
        digest=digest,
    )
    for note in predictor.notes:
        print(f"galaxy-edge: {printable(note)}", file=sys.stderr)
    inputs = sources(
        paths,
        sys.stdin.buffer,
        recursive=recursive,
        null=null,
        bands=predictor.preprocessing.stretch.bands,
        layout=layout,
        output=output,
    )
    noted = Notes()
    # Rows on a terminal already show the progress.
    shown = not quiet and not (output is None and sys.stdout.isatty())
    with (
        opened(output, form, job.origin(predictor, kept), resuming=resume) as rows,
        ticking(shown=shown) as tick,
    ):
        tally = job.run(inputs, predictor, rows, shard=share, progress=tick, note=noted)
        noted.rest()
    if not quiet:
        print(job.summary(tally, predictor), file=sys.stderr)
        if (warning := job.warning(tally)) is not None:
            print(f"galaxy-edge: {warning}", file=sys.stderr)
    if tally.failed:
        raise typer.Exit(1)
