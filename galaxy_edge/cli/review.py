"""``galaxy-edge review``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.notes import print_note
from galaxy_edge.cli.options import (
    Bands,
    Catalogue,
    Cutout,
    IdColumn,
    ImageColumn,
    PixelColumns,
    Size,
    SkyColumns,
)
from galaxy_edge.errors import UsageError

if TYPE_CHECKING:
    from galaxy_edge.review.rows import Run


def review(
    verdicts: Annotated[
        list[Path],
        typer.Argument(
            metavar="VERDICTS",
            help="The rows of `predict`: CSV, JSON Lines, Parquet or FITS. Two with --compare.",
        ),
    ],
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Show where the rows of two models differ."),
    ] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder that the relative paths of the rows start from.",
            show_default="the working folder",
        ),
    ] = None,
    labels: Annotated[
        Path,
        typer.Option(
            metavar="FILE.csv",
            help="Append each label to this file, which `train` and `train --add` read. An "
            "existing one is continued.",
        ),
    ] = Path("labels.csv"),
    model: Annotated[
        Path | None,
        typer.Option(
            "-m",
            "--model",
            help="The model of the rows, for its classes and its stretch of FITS images.",
            show_default="the bundled ones, if the rows are theirs",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Classes to label with.",
            show_default="those of the model, of the rows and of the labels",
        ),
    ] = None,
    image_column: ImageColumn = None,
    id_column: IdColumn = None,
    catalogue: Catalogue = None,
    size: Size = None,
    sky_columns: SkyColumns = None,
    pixel_columns: PixelColumns = None,
    cutout: Cutout = None,
    bands: Bands = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.")] = 0,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Look at the rows of a run in the browser, and confirm or correct them.

    Prints the address of a page, which only this machine can reach, and serves it until Ctrl-C.
    The images are only read. Those in containers need the options that `predict` had.
    """
    with importing("serve"):
        from galaxy_edge.review import server
    from galaxy_edge.inputs.preprocessing import Stretch
    from galaxy_edge.review.labels import LabelFile
    from galaxy_edge.review.opening import known, offered
    from galaxy_edge.review.pictures import Pictures
    from galaxy_edge.review.review import Review, joined
    from galaxy_edge.review.rows import read

    if len(verdicts) != (2 if compare else 1):
        raise UsageError(
            "--compare needs two files of rows" if compare else "name one file of rows, or two "
            "with --compare"
        )  # fmt: skip
    if images is not None and not images.is_dir():
        raise UsageError(f"{images} is not a folder; check --images")
    if labels.suffix.lower() != ".csv":
        raise UsageError(f"{labels} must end in .csv, because `train` reads it as a catalogue")
    layout = parsing.layout(
        image_column, id_column, (), catalogue, size, sky_columns, pixel_columns, cutout
    )
    runs: tuple[Run, ...] = tuple(map(read, verdicts))
    manifest = known(runs, model, print_note)
    rows, alone = joined(*runs)
    if alone:
        print_note(f"not shown, because only one of the files has them: {alone:,} rows")
    with LabelFile(labels) as file:
        if file.mended:
            print_note(f"{labels}: removed the last line, which a kill had cut off")
        chosen = offered(
            runs, manifest, file, None if classes is None else parsing.class_names(classes)
        )
        opened = Review(runs, rows, chosen, file, images, alone)
        pictures = Pictures(
            replace(
                manifest.preprocessing.stretch if manifest else Stretch(),
                **parsing.stretch(bands, None, None, None),
            ),
            layout,
        )

        def ready(address: str, once: str) -> None:
            typer.echo(address)
            if open_browser:
                import webbrowser

                webbrowser.open(once)

        try:
            server.serve(opened, pictures, port, ready)
        finally:
            count = len(file.labels)
            print_note(f"{labels} has {count:,} label{'' if count == 1 else 's'}")
