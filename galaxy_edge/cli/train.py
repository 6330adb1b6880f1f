"""``galaxy-edge train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from galaxy_edge.cli import parsing
from galaxy_edge.cli.extras import importing
from galaxy_edge.cli.options import Bands, Minimum, Softening, StretchRange
from galaxy_edge.cli.resuming import resuming

_IMAGES = "Images"
_AUGMENTATION = "Augmentation"
_SHORTCUTS = "Against shortcuts: half of the training images, both classes alike"
_NETWORK = "Network"
_OPTIMISATION = "Optimisation"


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA_DIR",
            help="Holds Train/ and Valid/ (and perhaps Test/), each with a folder for each class.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The run folder to make.", show_default="runs/DATA_DIR"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run of this output.")
    ] = False,
    classes: Annotated[
        str,
        typer.Option(
            help="The class folders; the score is P(POSITIVE).", metavar="NEGATIVE,POSITIVE"
        ),
    ] = "Fake,Real",
    image_size: Annotated[
        int, typer.Option(help="Height and width of the input, pixels.", rich_help_panel=_IMAGES)
    ] = 150,
    resize: Annotated[
        Literal["nearest", "bilinear", "lanczos"],
        typer.Option(help="Filter of the resizing.", rich_help_panel=_IMAGES),
    ] = "nearest",
    working_size: Annotated[
        int | None,
        typer.Option(
            help="Reduce larger images to this many pixels first, with Lanczos.",
            show_default="off",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    augment: Annotated[
        Literal["documented", "exact", "none"],
        typer.Option(
            help="documented: all below; exact: flips and quarter turns; none.",
            rich_help_panel=_AUGMENTATION,
        ),
    ] = "documented",
    rotation: Annotated[
        float, typer.Option(help="To either side, degrees.", rich_help_panel=_AUGMENTATION)
    ] = 40.0,
    width_shift: Annotated[
        float, typer.Option(help="Fraction of the width.", rich_help_panel=_AUGMENTATION)
    ] = 0.2,
    height_shift: Annotated[
        float, typer.Option(help="Fraction of the height.", rich_help_panel=_AUGMENTATION)
    ] = 0.2,
    shear: Annotated[
        float, typer.Option(help="To either side, degrees.", rich_help_panel=_AUGMENTATION)
    ] = 0.2,
    zoom: Annotated[
        float,
        typer.Option(help="Each axis by 1 - ZOOM to 1 + ZOOM.", rich_help_panel=_AUGMENTATION),
    ] = 0.2,
    flip: Annotated[
        bool,
        typer.Option(help="Mirror left and right half of the time.", rich_help_panel=_AUGMENTATION),
    ] = True,
    jpeg_quality: Annotated[
        int,
        typer.Option(
            help="Compress with a JPEG quality from this to 100.",
            show_default="100, off",
            rich_help_panel=_SHORTCUTS,
        ),
    ] = 100,
    resample: Annotated[
        float,
        typer.Option(
            help="Reduce by up to this fraction, and enlarge again.",
            show_default="off",
            rich_help_panel=_SHORTCUTS,
        ),
    ] = 0.0,
    noise: Annotated[
        float,
        typer.Option(
            help="Add noise of up to this deviation, grey levels.",
            show_default="off",
            rich_help_panel=_SHORTCUTS,
        ),
    ] = 0.0,
    restretch: Annotated[
        float,
        typer.Option(
            help="Raise brightness to a power of up to 1 + this, or its inverse.",
            show_default="off",
            rich_help_panel=_SHORTCUTS,
        ),
    ] = 0.0,
    filters: Annotated[
        str, typer.Option(help="Channels of each convolution.", rich_help_panel=_NETWORK)
    ] = "32,64",
    kernel_size: Annotated[
        int, typer.Option(help="Of each convolution, pixels.", rich_help_panel=_NETWORK)
    ] = 3,
    pool_size: Annotated[
        int, typer.Option(help="Of each max pool, pixels.", rich_help_panel=_NETWORK)
    ] = 2,
    dense_units: Annotated[
        int, typer.Option(help="Units of the dense layer.", rich_help_panel=_NETWORK)
    ] = 128,
    dropout: Annotated[
        float, typer.Option(help="Fraction of dense units dropped.", rich_help_panel=_NETWORK)
    ] = 0.5,
    learning_rate: Annotated[
        float, typer.Option(help="Of Adam.", rich_help_panel=_OPTIMISATION)
    ] = 0.001,
    batch_size: Annotated[
        int, typer.Option(help="Images a step.", rich_help_panel=_OPTIMISATION)
    ] = 32,
    epochs: Annotated[
        int, typer.Option(help="At most this many.", rich_help_panel=_OPTIMISATION)
    ] = 50,
    patience: Annotated[
        int,
        typer.Option(
            help="Epochs without a better validation loss before stopping.",
            rich_help_panel=_OPTIMISATION,
        ),
    ] = 5,
    stop_at_accuracy: Annotated[
        str,
        typer.Option(
            help="Stop at this validation accuracy, or `off`.",
            metavar="X|off",
            rich_help_panel=_OPTIMISATION,
        ),
    ] = "0.99",
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Fold a temperature, fitted on Valid/, into the last layer: scores as "
            "probabilities.",
            rich_help_panel=_OPTIMISATION,
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Of everything random.", rich_help_panel=_OPTIMISATION)
    ] = 0,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Train on what can be read; say what not.")
    ] = False,
    bands: Bands = None,
    stretch: StretchRange = "auto",
    q: Softening = 8.0,
    minimum: Minimum = "auto",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Train the documented network on labelled folders of cutouts.

    Makes a run folder with the model (model.keras, model.h5), the configuration, the data's
    digests, the history, the metrics and three figures. The defaults are the documented set-up.
    """
    output = output or Path("runs", data.resolve().name)
    with importing("train"):
        from galaxy_edge_train.config import AugmentConfig, NetworkConfig, TrainConfig
        from galaxy_edge_train.fit import train as fit

    from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch

    config = TrainConfig(
        classes=parsing.classes(classes),
        preprocessing=Preprocessing(
            size=image_size,
            resize=resize,
            working_size=working_size,
            stretch=Stretch(**parsing.stretch(bands, minimum, stretch, q)),
        ),
        network=NetworkConfig(
            filters=parsing.whole_numbers(filters, "--filters"),
            kernel_size=kernel_size,
            pool_size=pool_size,
            dense_units=dense_units,
            dropout=dropout,
        ),
        augment=AugmentConfig(
            kind=augment,
            rotation=rotation,
            width_shift=width_shift,
            height_shift=height_shift,
            shear=shear,
            zoom=zoom,
            horizontal_flip=flip,
            jpeg_quality=jpeg_quality,
            resample=resample,
            noise=noise,
            restretch=restretch,
        ),
        learning_rate=learning_rate,
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        stop_at_accuracy=parsing.number_or("off", stop_at_accuracy, "--stop-at-accuracy"),
        calibrate=calibrate,
        seed=seed,
        skip_unreadable=skip_unreadable,
    )
    with resuming(output):
        run = fit(data, output, config, resume=resume, quiet=quiet)
    typer.echo(run)
