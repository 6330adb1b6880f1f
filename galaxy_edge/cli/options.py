"""Parameters that several commands have alike."""

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
    typer.Option(help="A score above it is the positive class.", show_default="the model's"),
]
BatchSize = Annotated[int, typer.Option(help="At most so many images scored at once.")]
Threads = Annotated[
    int | None,
    typer.Option(
        help="At most so many, for inference and decoding.", show_default="the cores at hand"
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
        help="Bands (i,r,g): files named by them belong together; so do planes of a cube.",
        rich_help_panel=_FITS,
    ),
]
Minimum = Annotated[
    str | None,
    typer.Option(
        metavar="X|auto",
        help="Black level, in the image's units; auto: each band's sky.",
        rich_help_panel=_FITS,
    ),
]
StretchRange = Annotated[
    str | None,
    typer.Option(
        metavar="X|auto",
        help="Linear range, in the image's units; auto: ten times the sky's noise.",
        rich_help_panel=_FITS,
    ),
]
Softening = Annotated[
    float | None,
    typer.Option(
        help="Larger compresses the bright parts more.",
        rich_help_panel=_FITS,
    ),
]
ModelFile = Annotated[Path | None, typer.Argument(metavar="MODEL", show_default="the bundled one")]
