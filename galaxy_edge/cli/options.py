"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[
    Path | None,
    typer.Option(
        "-m",
        "--model",
        help="Model file; or documented, the bundled one of the documented network.",
        show_default="the bundled one",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Two classes: a score above it gives the positive class. Three or more: the verdict "
        "is uncertain if no class has a probability of at least this.",
        show_default="the model's",
    ),
]
OodLimit = Annotated[
    str | None,
    typer.Option(
        metavar="X|off",
        help="An image is out of distribution if its typicality is below this.",
        show_default="the model's",
    ),
]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Include subfolders.")]
Format = Annotated[
    Literal["table", "jsonl", "csv", "parquet", "fits"] | None,
    typer.Option(
        "--format", help="Output format.", show_default="by the suffix of OUTPUT, or table"
    ),
]


def _file(path: Path | None) -> Path | None:
    """None, which is stdout, for -."""
    return None if path == Path("-") else path


Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Output file; - for stdout.", show_default="stdout", callback=_file
    ),
]
Digest = Annotated[bool, typer.Option("--digest", help="Add the SHA-256 of its input to each row.")]
ExitZero = Annotated[
    bool,
    typer.Option(
        "--exit-zero",
        help="Exit with 0 even if inputs could not be read, for callers that stop on any other "
        "code.",
    ),
]
BatchSize = Annotated[int, typer.Option(help="Maximum batch size.")]
Threads = Annotated[
    int | None,
    typer.Option(
        help="Maximum number of threads, for inference and decoding.",
        show_default="the available cores",
    ),
]
Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")
]
_FITS = "FITS images and stamps of alerts, by default stretched after Lupton et al. 2004"
Bands = Annotated[
    str | None,
    typer.Option(
        metavar="RED,GREEN,BLUE",
        help="Names of the bands that make one image, such as i,r,g; found in file names, or in "
        "the header of a cube.",
        rich_help_panel=_FITS,
    ),
]
Minimum = Annotated[
    str | None,
    typer.Option(
        metavar="X|auto",
        help="Black level, in the image's units; auto: the sky of each band.",
        rich_help_panel=_FITS,
    ),
]
StretchRange = Annotated[
    str | None,
    typer.Option(
        metavar="X|auto",
        help="Linear range, in the image's units; auto: ten times the noise of the sky.",
        rich_help_panel=_FITS,
    ),
]
Softening = Annotated[
    float | None,
    typer.Option(
        help="Softening: larger values compress the bright parts more.",
        rich_help_panel=_FITS,
    ),
]
StretchKind = Annotated[
    Literal["lupton", "asinh", "linear"] | None,
    typer.Option(
        help="lupton keeps the colour; asinh and linear stretch each channel by itself between two "
        "percentiles.",
        rich_help_panel=_FITS,
    ),
]
Percentiles = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,HIGH",
        help="Percentiles of each channel that become black and white, with asinh and linear.",
        rich_help_panel=_FITS,
    ),
]
BitDepth = Annotated[
    int | None,
    typer.Option(
        metavar="BITS",
        help="Bits used in 16-bit grey images, 8 to 16; 12 for a 12-bit camera.",
    ),
]
_CONTAINERS = "Tables, archives, arrays, alerts, and mosaics"
ImageColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of a Parquet table with the images. A folder then gives its Parquet files.",
        rich_help_panel=_CONTAINERS,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column with the identifiers: of a table, of the JSON files in an archive, or the "
        "array of this name in an HDF5 file or Zarr store.",
        show_default="the name in an archive, `ids` beside an array",
        rich_help_panel=_CONTAINERS,
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...", help="Columns to copy to the rows.", rich_help_panel=_CONTAINERS
    ),
]
Cutout = Annotated[
    Literal["science", "template", "difference", "triplet"] | None,
    typer.Option(
        help="Stamp of an alert packet; triplet makes one channel of each.",
        show_default="science",
        rich_help_panel=_CONTAINERS,
    ),
]
Catalogue = Annotated[
    Path | None,
    typer.Option(
        help="Table (CSV, Parquet or FITS) of positions: cut a stamp from each mosaic at each one.",
        rich_help_panel=_CONTAINERS,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS", help="Height and width of a stamp.", rich_help_panel=_CONTAINERS
    ),
]
SkyColumns = Annotated[
    str | None,
    typer.Option(
        metavar="RA,DEC",
        help="Columns of the catalogue with sky positions, degrees (ICRS).",
        show_default="by their names",
        rich_help_panel=_CONTAINERS,
    ),
]
PixelColumns = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y",
        help="Columns of the catalogue with positions in pixels; the first pixel is 0, 0.",
        show_default="by their names",
        rich_help_panel=_CONTAINERS,
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no summary.")]
ModelFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="Model file; or documented, as for predict.",
        show_default="the bundled one",
    ),
]
#: People write -m here too, because the other commands take it.
AlsoModel = Annotated[Path | None, typer.Option("-m", "--model", hidden=True)]
