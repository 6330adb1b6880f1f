"""Parameters that several commands have alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")
]
ModelFile = Annotated[Path | None, typer.Argument(metavar="MODEL", show_default="the bundled one")]
