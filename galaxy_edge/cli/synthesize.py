"""``galaxy-edge synthesize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.resuming import resuming

_TRAINING = "Training of the generators"


def synthesize(
    reals: Annotated[
        list[Path],
        typer.Argument(
            metavar="REAL_DIR...",
            help="Folders of real cutouts, a source each. One with Train/ and Valid/ inside is "
            "split as it stands, another by what its images show.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DATASET", help="The data set to make."),
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted synthesis of this output.")
    ] = False,
    generators: Annotated[
        str,
        typer.Option(
            "--generator",
            metavar="FAMILY,...",
            help="vae, gan, diffusion, or several, which share the fakes among them.",
        ),
    ] = "diffusion",
    size: Annotated[
        int, typer.Option(help="Height and width of all images, pixels: a multiple of 16.")
    ] = 64,
    train: Annotated[int, typer.Option(help="At most as many training images of each class.")] = (
        3000
    ),
    valid: Annotated[
        int, typer.Option(help="At most as many validation images of each class.")
    ] = 1000,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training half.",
            show_default="the family's own",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="End each generator's training after the epoch in which these have passed.",
            show_default="no limit",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images a step.", rich_help_panel=_TRAINING)] = 32,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Make the synthetic half of a data set from real cutouts.

    Trains generators on the training half of the real cutouts and writes the layout that `train`
    reads, both classes by one writer: {Train,Valid}/Real/SOURCE and {Train,Valid}/Fake/FAMILY/
    SOURCE, with a report of how real the fakes look (realism.png, realism.json) and a contact
    sheet. The validation half of the reals is never shown to a generator.
    """
    with importing("train"):
        from galaxy_edge_train.synthesis.config import SynthesisConfig
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
    )
    with resuming(output):
        made = make(reals, output, config, resume=resume, quiet=quiet)
    typer.echo(made)
