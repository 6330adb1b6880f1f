"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    Path | None,
    typer.Option("-m", "--model", help="Model file.", show_default="the bundled one"),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Two classes: a score above it gives the positive class. Three or more: the verdict "
        "is uncertain if no class has a probability of at least this.",
        show_default="the model's",
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
_FITS = "FITS images, stretched after Lupton et al. 2004"
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
BitDepth = Annotated[
    int | None,
    typer.Option(
        metavar="BITS",
        help="Bits used in 16-bit grey images, 8 to 16; 12 for a 12-bit camera.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print no progress and no summary.")]
ModelFile = Annotated[Path | None, typer.Argument(metavar="MODEL", show_default="the bundled one")]
