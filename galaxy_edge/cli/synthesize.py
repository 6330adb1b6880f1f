"""``galaxy-edge synthesize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import (
    Bands,
    BitDepth,
    Minimum,
    Percentiles,
    Quiet,
    Softening,
    StretchKind,
    StretchRange,
)
from galaxy_edge.cli.resume_hint import resume_hint
from galaxy_edge.inputs.preprocessing import Stretch
from galaxy_edge_train.families import FAMILY_NAMES
from galaxy_edge_train.synthesis.config import SynthesisConfig

_DEFAULT = SynthesisConfig()
_TRAINING = "Training of vae, gan and diffusion (also for renoised)"


def synthesize(
    reals: Annotated[
        list[Path],
        typer.Argument(
            metavar="REAL_DIR...",
            help="Folders of real cutouts, one per source. A folder with Train/ and Valid/ keeps "
            "that split; any other is split by the content of its images.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DATASET", help="The data set folder to create."),
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the interrupted synthesis of this output.")
    ] = False,
    generators: Annotated[
        str,
        typer.Option(
            "--generator",
            metavar="FAMILY,...",
            help=f"{', '.join(FAMILY_NAMES)}, or several of them; each makes an equal share of the "
            "fakes.",
        ),
    ] = ",".join(_DEFAULT.families),
    size: Annotated[
        int, typer.Option(help="Height and width of all images, pixels; a multiple of 16.")
    ] = _DEFAULT.size,
    train: Annotated[
        int, typer.Option(help="Maximum number of training images of each class.")
    ] = _DEFAULT.train,
    valid: Annotated[
        int, typer.Option(help="Maximum number of validation images of each class.")
    ] = _DEFAULT.valid,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training split.",
            show_default="the family's own",
            rich_help_panel=_TRAINING,
        ),
    ] = _DEFAULT.epochs,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Stop training each generator at the end of the epoch that reaches this time.",
            show_default="no limit",
            rich_help_panel=_TRAINING,
        ),
    ] = _DEFAULT.minutes,
    batch_size: Annotated[
        int, typer.Option(help="Images per training step.", rich_help_panel=_TRAINING)
    ] = _DEFAULT.batch_size,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = _DEFAULT.seed,
    bands: Bands = None,
    stretch: StretchRange = None,
    q: Softening = None,
    minimum: Minimum = None,
    bit_depth: BitDepth = None,
    stretch_kind: StretchKind = None,
    percentiles: Percentiles = None,
    quiet: Quiet = False,
) -> None:
    """Make a data set of real and synthetic images from real cutouts.

    Trains generators on the training split of the real cutouts and writes the layout that `train`
    reads: {Train,Valid}/Real/SOURCE and {Train,Valid}/Fake/FAMILY/SOURCE. The same code writes
    both classes. Adds a report on how realistic the fakes look (realism.png, realism.json) and a
    contact sheet. The generators never learn from the validation split of the reals.
    """
    with importing("train"):
        from galaxy_edge_train.synthesis.synthesize import synthesize as make

    config = SynthesisConfig(
        families=tuple(name.strip() for name in generators.split(",")),
        size=size,
        train=train,
        valid=valid,
        epochs=epochs,
        minutes=minutes,
        batch_size=batch_size,
        seed=seed,
        stretch=Stretch(
            **parsing.stretch(bands, minimum, stretch, q, bit_depth, stretch_kind, percentiles)
        ),
    )
    with resume_hint(output):
        made = make(reals, output, config, resume=resume, quiet=quiet)
    typer.echo(made)
