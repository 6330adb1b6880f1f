"""``galaxy-edge evaluate``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import (
    Bands,
    BatchSize,
    BitDepth,
    Catalogue,
    Cutout,
    Device,
    ImageColumn,
    Minimum,
    Model,
    OodLimit,
    Percentiles,
    PixelColumns,
    Quiet,
    Size,
    SkyColumns,
    Softening,
    StretchKind,
    StretchRange,
    Threads,
    Threshold,
)
from galaxy_edge.cli.progress import ticking

_INTERVALS = "Intervals"
_LABELS = "Labels in a container"
#: Maximum number of unreadable images to list on stderr; the JSON document lists all.
_LISTED = 20


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder with one folder for each class (Fake/, Real/; one may be missing), or "
            "with Train/, Valid/, Test/ that contain them. Each folder in a class folder is a "
            "separate source. Outliers/ may hold images of no class. Or a container, as for "
            "predict, with --label-column.",
        ),
    ],
    model: Model = None,
    split: Annotated[
        Literal["Train", "Valid", "Test"] | None,
        typer.Option(
            help="Split of DATA to evaluate.",
            case_sensitive=False,
            show_default="Valid, or none if DATA contains the class folders itself",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write metrics.json, scores.csv, five figures and report.html to this folder. It "
            "must be new, empty, or contain an earlier evaluation, which is replaced.",
        ),
    ] = None,
    form: Annotated[
        Literal["table", "json"] | None,
        typer.Option(
            "--format",
            help="Format on stdout; json prints the contents of metrics.json.",
            show_default="table, or with -o only the name of the folder",
        ),
    ] = None,
    device: Device = "auto",
    threshold: Threshold = None,
    ood_limit: OodLimit = None,
    batch_size: BatchSize = 32,
    threads: Threads = None,
    bootstrap: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Number of bootstrap resamples for the 95 % intervals; 0 for no intervals.",
            rich_help_panel=_INTERVALS,
        ),
    ] = 1000,
    seed: Annotated[
        int, typer.Option(help="Random seed of the resamples.", rich_help_panel=_INTERVALS)
    ] = 0,
    image_column: ImageColumn = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Column of a container with the classes.",
            show_default="`labels` beside an array",
            rich_help_panel=_LABELS,
        ),
    ] = None,
    split_column: Annotated[
        str | None,
        typer.Option(help="Column with Train, Valid or Test.", rich_help_panel=_LABELS),
    ] = None,
    source_column: Annotated[
        str | None,
        typer.Option(help="Column with the names of the sources.", rich_help_panel=_LABELS),
    ] = None,
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
    quiet: Quiet = False,
) -> None:
    """Measure a model on labelled folders: each source separately, and all together.

    Reports accuracy and AUC (both with intervals), precision, recall and calibration. Measures
    that need both classes are omitted if one is missing. Images that cannot be read get no score,
    are listed, and set the exit code to 1.
    """
    with importing("evaluate"):
        from galaxy_edge.evaluation import folder, views
        from galaxy_edge.evaluation.bootstrap import Bootstrap
        from galaxy_edge.evaluation.evaluation import evaluate as measure
        from galaxy_edge.evaluation.sources import find, find_in
        from galaxy_edge.inputs.containers.labelled import LabelledContainer

    import json

    from galaxy_edge.errors import UsageError
    from galaxy_edge.inputs.containers.layout import Layout, is_container, label_columns
    from galaxy_edge.outputs.output import stdout
    from galaxy_edge.outputs.text import printable
    from galaxy_edge.predictor import Predictor

    resampling = Bootstrap(bootstrap, seed)
    predictor = Predictor(
        model,
        device=device,
        threads=threads,
        threshold=threshold,
        ood_limit=parsing.ood_limit(ood_limit),
        batch_size=batch_size,
        stretch=parsing.stretch(bands, minimum, stretch, q, bit_depth, stretch_kind, percentiles),
    )
    steps = predictor.preprocessing.stretch
    layout = parsing.layout(
        image_column, None, (), catalogue, size, sky_columns, pixel_columns, cutout
    )
    layout = layout or Layout()
    if is_container(str(data), layout):
        columns = label_columns(str(data), label_column, split_column)
        container = LabelledContainer(str(data), layout, columns, steps.bands)
        labelled = find_in(container, predictor.decision.classes, split, source_column)
    elif label_column or split_column or source_column:
        raise UsageError(
            f"{data} is not a container; the options for its columns are for a Parquet table with "
            "--image-column, an archive, an array or a mosaic"
        )
    else:
        labelled = find(data, predictor.decision.classes, split, steps.bands)
    for note in (*predictor.notes, *labelled.notes):
        print(f"galaxy-edge: {printable(note)}", file=sys.stderr)
    if output is not None:
        folder.claim(output, labelled.places)
    total = sum(map(len, labelled.images))
    with ticking(shown=not quiet, total=total) as tick:
        evaluation = measure(predictor, str(data), labelled, resampling, tick)
    # Print before writing files: if the disk is full, the numbers are not lost.
    out = stdout()
    if form == "json":
        print(json.dumps(evaluation.document(), indent=2), file=out)
    elif form == "table" or output is None:
        print(views.text(evaluation), file=out)
    elif not quiet:
        print(views.text(evaluation), file=sys.stderr)
    if output is not None:
        folder.write(output, evaluation, steps)
        if form is None:
            print(output, file=out)
    odd = (one for outliers in evaluation.outliers for one in outliers.unreadable)
    failed = [f"{one.path}: {one.error}" for one in (*evaluation.unreadable, *odd)]
    if failed := [*labelled.faults, *failed]:
        _list_unreadable(failed)
        raise typer.Exit(1)


def _list_unreadable(failed: Sequence[str]) -> None:
    from galaxy_edge.outputs.text import printable

    for one in failed[:_LISTED]:
        print(f"galaxy-edge: {printable(one)}", file=sys.stderr)
    if (more := len(failed) - _LISTED) > 0:
        print(f"galaxy-edge: and {more} more images that cannot be read", file=sys.stderr)
